"""What the queries answer: frozen, plain, ready to be shown. Moments are UTC ms; money is in minor units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from botmeter.domain.commands import Plan
from botmeter.domain.cycles import BillingCycle
from botmeter.domain.events import Pool
from botmeter.domain.sessions import Widget

#: `active`: the bot answers. `near_end`: it does, and a threshold is reached. `exhausted`: agents answer. `closed`.
AccountState = Literal["active", "near_end", "exhausted", "closed"]
SortBy = Literal["risk", "account_id"]
Bucket = Literal["hour", "day"]
UsageBy = Literal["widget", "bot", "mode"]
CauseKind = Literal["interaction", "command", "timer"]
#: The journal's types that are alerts (`T1`, `T3`).
ALERTS: Final = ("threshold_reached", "sessions_exhausted")
StepKind = Literal["opened", "granted", "purchased", "recharged", "credited", "forfeited", "renewed", "expired"]


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far the numbers reach: of an account's partition, or of the one that lags most.

    `offset`: everything of the journal below it is in the numbers. `event_at` is the time of the last event before it,
    None before the first. `lag_ms` is how long ago the numbers were last known to be complete; None: never yet.
    """

    topic: str
    partition: int
    offset: int
    high_watermark: int
    event_at: int | None
    level_at: int | None
    lag_records: int
    lag_ms: int | None


@dataclass(frozen=True, slots=True)
class Cause:
    """The record that caused an event (`J3`); the timer has only `before_offset`."""

    kind: CauseKind
    topic: str | None
    partition: int | None
    offset: int | None
    #: event_id of an interaction, command_id of a command.
    id: str | None
    before_offset: int | None


@dataclass(frozen=True, slots=True)
class JournalPlace:
    """Where in the journal a fact is written."""

    partition: int
    offset: int
    version: int


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents of USD)."""

    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class CycleSpan:
    """A billing cycle, `[starts_at, ends_at)`."""

    number: int
    billing_cycle: BillingCycle
    starts_at: int
    ends_at: int


# --- Accounts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """One line of the list of accounts. `runs_out_at` is None when nothing points to it before the cycle's end."""

    account_id: str
    state: AccountState
    since: int
    reason: str | None
    plan: Plan
    pool: Pool
    total: int
    used: int
    remaining: int
    #: Rounded down to one decimal; 0.0 when there are no sessions at all.
    used_percent: float
    packs: int
    packs_next_cycle: int
    cycle_number: int
    cycle_starts_at: int
    cycle_ends_at: int
    time_zone: str
    pace_per_day: int
    runs_out_at: int | None
    last_session_at: int | None
    place: JournalPlace


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Some accounts, and where the next ones are to be asked for (None: these were the last)."""

    accounts: tuple[AccountSummary, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Threshold:
    """A percentage that alerts. `at_sessions` is the used count that reaches it, `reached_at` None without an alert."""

    percent: int
    at_sessions: int
    is_reached: bool
    reached_at: int | None


@dataclass(frozen=True, slots=True)
class AutoRecharge:
    """Buy `packs` when fewer than `below` sessions remain (`A11`)."""

    below: int
    packs: int


@dataclass(frozen=True, slots=True)
class AccountDetail:
    """Everything of one account but its history."""

    summary: AccountSummary
    opened_at: int
    cycle: CycleSpan
    #: Differs from the cycle's while a change is scheduled (`A9`); it takes effect at the cycle's end.
    next_billing_cycle: BillingCycle
    thresholds: tuple[Threshold, ...]
    auto_recharge: AutoRecharge | None
    contacts: tuple[Any, ...]
    complimentary_granted: bool
    #: When complimentary sessions were forfeited, and how many; None: never.
    complimentary_forfeited_at: int | None
    complimentary_forfeited: int | None
    #: What a pack costs and holds, by the last charge of this account; None before the first.
    pack_price: Money | None
    pack_sessions: int | None
    freshness: Freshness


# --- Usage -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UsageBucket:
    """Sessions that started in one hour or day of the account's own time; `parts` follows the series' `keys`."""

    starts_at: int
    ends_at: int
    sessions: int
    cumulative: int
    parts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UsageSeries:
    """Every bucket of a span, empty ones too. Without `by`, `keys` is empty."""

    time_zone: str
    bucket: Bucket
    by: UsageBy | None
    keys: tuple[str, ...]
    buckets: tuple[UsageBucket, ...]
    total: int


@dataclass(frozen=True, slots=True)
class RemainingPoint:
    """Sessions that remain at a moment."""

    at: int
    remaining: int


@dataclass(frozen=True, slots=True)
class BandPoint:
    """What will likely remain at a moment: between `low` and `high`, most likely `expected`."""

    at: int
    expected: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """How the cycle will likely go on at the pace of late. Moments are None where the sessions last beyond the horizon.

    `basis_days` is how many days of usage it rests on; below 1 the band says little.
    """

    pace_per_day: float
    basis_days: float
    horizon_at: int
    points: tuple[BandPoint, ...]
    runs_out_at: int | None
    earliest_at: int | None
    latest_at: int | None
    #: What will likely be left at the horizon; 0 when they run out before.
    left_at_horizon: int


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the pool by something else than a session; `sessions` is what it moved, signed."""

    at: int
    kind: StepKind
    sessions: int
    remaining: int
    packs: int
    charge: Money | None
    issued_by: str | None
    place: JournalPlace


@dataclass(frozen=True, slots=True)
class ThresholdLine:
    """A threshold as a level of remaining sessions, by the total of now."""

    percent: int
    remaining: int
    reached_at: int | None


@dataclass(frozen=True, slots=True)
class BurnDown:
    """A cycle's remaining sessions over time: `points` with a jump (two points of one moment) at every step."""

    cycle: CycleSpan
    is_current: bool
    points: tuple[RemainingPoint, ...]
    steps: tuple[Step, ...]
    thresholds: tuple[ThresholdLine, ...]
    forecast: Forecast | None


# --- Sessions --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions; None: all. `since` and `until` bound `started_at`, `until` excluded."""

    since: int | None = None
    until: int | None = None
    end_user_id: str | None = None
    bot_id: str | None = None
    widget: Widget | None = None
    preview: bool | None = None
    cycle_number: int | None = None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A charged session. `used`, `total` and `packs` are those of its cycle after it; `charged_at` is broker time."""

    session_id: str
    account_id: str
    end_user_id: str
    preview: bool
    started_at: int
    ends_at: int
    charged_at: int
    cycle_number: int
    pool: Pool
    used: int
    total: int
    packs: int
    bot_id: str
    conversation_id: str
    widget: Widget
    place: JournalPlace
    cause: Cause


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Some sessions, newest first, and where the next ones are to be asked for."""

    sessions: tuple[SessionRow, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a session was charged, and to what.

    `previous` is the end-user's session before it in the same mode, whose 24 hours do not cover it; `pack_number`
    counts from 1 within the cycle, None for complimentary and credited sessions. `led_to` are the events that the same
    interaction caused besides: thresholds, a recharge, exhaustion.
    """

    session: SessionRow
    cycle: CycleSpan
    is_late: bool
    pack_number: int | None
    used_before: int
    used_after: int
    remaining_before: int
    remaining_after: int
    previous: SessionRow | None
    next: SessionRow | None
    led_to: tuple[TimelineEntry, ...]


# --- History ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one recipient (masked), as the notifier reported it last."""

    delivery_id: str
    alert_id: str
    at: int
    channel: str
    recipient: str
    state: Literal["sent", "maybe_twice", "retrying", "failed"]
    attempts: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One event of an account; `type` is the journal's, `detail` its own fields there.

    `pool`, `total` and `used` are those after it; `moved` is by how many sessions it changed what remained.
    """

    type: str
    at: int
    cycle_number: int
    pool: Pool
    total: int
    used: int
    moved: int
    packs: int
    charge: Money | None
    issued_by: str | None
    detail: Mapping[str, Any]
    deliveries: tuple[Delivery, ...]
    place: JournalPlace
    cause: Cause


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """Some events, newest first, and where the next ones are to be asked for."""

    entries: tuple[TimelineEntry, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class HandoffRow:
    """A conversation that went to the agents."""

    handoff_id: str
    at: int
    cycle_number: int
    conversation_id: str
    end_user_id: str
    bot_id: str
    reason: str
    place: JournalPlace
    cause: Cause


@dataclass(frozen=True, slots=True)
class HandoffPage:
    """Some handoffs, newest first, and where the next ones are to be asked for."""

    handoffs: tuple[HandoffRow, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Suspension:
    """A time in which the bots stood still; `until` and `resumed_by` are None while they still do."""

    since: int
    reason: str
    until: int | None
    resumed_by: str | None
    handoffs: int


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """Money charged: packs bought, or renewed with a cycle."""

    at: int
    kind: Literal["purchase", "auto_recharge", "renewal"]
    cycle_number: int
    packs: int
    sessions: int
    charge: Money
    issued_by: str | None
    command_id: str | None
    place: JournalPlace


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A command and how it was judged; `reason` and `message` are those of a refusal."""

    command_id: str
    command: str
    issued_by: str
    at: int
    result: Literal["accepted", "rejected"]
    reason: str | None
    message: str | None
    charge: Money | None
    place: JournalPlace
    cause: Cause


@dataclass(frozen=True, slots=True)
class Statement:
    """A cycle in sessions and money.

    opening + renewed + granted + purchased + credited - sessions - forfeited - expired = remaining, which is what is
    left of the running cycle now, and what an ended one left to the next (`closing`, None while it runs).

    `late_sessions` of `sessions` came after the cycle's end and were taken from what would have expired (`A13`).
    """

    account_id: str
    cycle: CycleSpan
    is_current: bool
    opening: int
    renewed: int
    granted: int
    purchased: int
    credited: int
    sessions: int
    late_sessions: int
    previews: int
    forfeited: int
    expired: int
    remaining: int
    closing: int | None
    handoffs: int
    charge: Money | None
    charges: tuple[ChargeRow, ...]
    steps: tuple[Step, ...]
    freshness: Freshness


# --- What if ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scenario:
    """Other terms for cycles that were; None leaves them as they were. `packs` are those of every cycle."""

    packs: int | None = None
    thresholds: tuple[int, ...] | None = None
    auto_recharge: AutoRecharge | None = None


@dataclass(frozen=True, slots=True)
class WhatIfCycle:
    """One cycle under a scenario, beside how it was."""

    cycle: CycleSpan
    #: Sessions that were served, and chats that asked for one and went to agents: what there was to serve.
    demand: int
    served: int
    to_agents: int
    ran_out_at: int | None
    packs_bought: int
    charge: Money
    thresholds_reached: tuple[tuple[int, int], ...]
    was_served: int
    was_to_agents: int
    was_ran_out_at: int | None
    was_charge: Money


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The last cycles replayed under other terms, oldest first, and how many packs would have been right."""

    scenario: Scenario
    cycles: tuple[WhatIfCycle, ...]
    to_agents: int
    charge: Money
    was_charge: Money
    recommended_packs: int
    #: What the recommendation rests on, as numbers: highest and middle demand of the cycles, and the pack's size.
    peak_demand: int
    median_demand: int
    pack_sessions: int
    #: Whether there may have been more: refused self-service interactions and previews leave no trace (`T4`).
    is_lower_bound: bool
