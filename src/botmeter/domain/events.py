"""The journal: every change of an account is one of these events (`J1`).

All carry the account, its gapless `version`, the effective time `at` (UTC ms, `J5`) and the `cause` (`J3`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from botmeter.domain.commands import Plan, Refusal
from botmeter.domain.contacts import Contacts
from botmeter.domain.cycles import BillingCycle
from botmeter.domain.prices import Money
from botmeter.domain.sessions import Widget

Pool = Literal["complimentary", "purchased", "none"]
#: Why bots stand still.
ExhaustionReason = Literal["sessions_exhausted", "no_sessions"]
#: Why they go on (`T5`).
AvailableReason = Literal["packs_purchased", "cycle_started", "sessions_credited", "plan_changed"]
#: Who buys packs (`A5`, `A11`).
PurchaseTrigger = Literal["command", "auto_recharge"]
CommandOutcome = Literal["accepted", "rejected"]


@dataclass(frozen=True, slots=True)
class InteractionCause:
    """The record of the interaction that caused an event."""

    topic: str
    partition: int
    offset: int
    event_id: str


@dataclass(frozen=True, slots=True)
class CommandCause:
    """The record of the command; `before_offset` is the first interaction not yet taken at that moment (`J4`)."""

    topic: str
    partition: int
    offset: int
    command_id: str
    before_offset: int


@dataclass(frozen=True, slots=True)
class TimerCause:
    """The timer; `before_offset` as for commands (`J4`)."""

    before_offset: int
    timer: Literal["cycle"] = "cycle"


Cause = InteractionCause | CommandCause | TimerCause


@dataclass(frozen=True, slots=True)
class _Happened:
    account_id: str
    version: int
    at: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class AccountOpened(_Happened):
    """The account exists; `starts_at` and `ends_at` bound its cycle number 1 (`A4`)."""

    plan: Plan
    billing_cycle: BillingCycle
    anchor: int
    time_zone: str
    contacts: Contacts
    thresholds: tuple[int, ...]
    starts_at: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class PlanChanged(_Happened):
    """The account moved to another plan."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class ComplimentaryGranted(_Happened):
    """The once-ever complimentary pool (`A1`)."""

    sessions: int


@dataclass(frozen=True, slots=True)
class ComplimentaryForfeited(_Happened):
    """The complimentary pool ended; `sessions` were left in it (`A2`)."""

    sessions: int


@dataclass(frozen=True, slots=True)
class PacksPurchased(_Happened):
    """Packs bought, by a command or by auto-recharge; `total` and `used` are the pool's after it (`A5`, `A11`)."""

    packs: int
    sessions: int
    charge: Money
    total: int
    used: int
    trigger: PurchaseTrigger


@dataclass(frozen=True, slots=True)
class PackReductionScheduled(_Happened):
    """`packs` fewer from the next cycle on, which leaves `packs_next_cycle` (`A7`)."""

    packs: int
    packs_next_cycle: int


@dataclass(frozen=True, slots=True)
class PackReductionCancelled(_Happened):
    """The next cycle keeps the packs of this one (`A7`)."""

    packs_next_cycle: int


@dataclass(frozen=True, slots=True)
class CycleStarted(_Happened):
    """A billing cycle began: `expired` sessions lapsed, `packs` renewed for `charge` (`A6`).

    `total` and `used` are the pool's after it; a complimentary pool passes the boundary untouched (`A2`).
    """

    number: int
    starts_at: int
    ends_at: int
    billing_cycle: BillingCycle
    anchor: int
    pool: Pool
    packs: int
    total: int
    used: int
    expired: int
    charge: Money | None


@dataclass(frozen=True, slots=True)
class BillingCycleChangeScheduled(_Happened):
    """From `effective_at` on (the next boundary, which becomes the anchor) cycles have another length (`A9`)."""

    billing_cycle: BillingCycle
    effective_at: int


@dataclass(frozen=True, slots=True)
class SessionsCredited(_Happened):
    """A goodwill credit; `pool`, `total` and `used` are those after it (`A10`)."""

    sessions: int
    reason: str
    pool: Pool
    total: int
    used: int


@dataclass(frozen=True, slots=True)
class ThresholdsSet(_Happened):
    """`reached` of the `percents` lie at or below the present usage and will not alert (`T1`)."""

    percents: tuple[int, ...]
    reached: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AutoRechargeSet(_Happened):
    """Auto-recharge as it now stands; 0 packs: off (`A11`)."""

    below: int
    packs: int


@dataclass(frozen=True, slots=True)
class ContactsSet(_Happened):
    """Who is told of alerts from now on."""

    contacts: Contacts


@dataclass(frozen=True, slots=True)
class SessionStarted(_Happened):
    """A charged session, `[started_at, ends_at)`; `used` counts it, in cycle `cycle_number` (`S1`, `A13`)."""

    session_id: str
    end_user_id: str
    preview: bool
    started_at: int
    ends_at: int
    cycle_number: int
    pool: Pool
    used: int
    bot_id: str
    conversation_id: str
    widget: Widget


@dataclass(frozen=True, slots=True)
class ThresholdReached(_Happened):
    """Usage came to `percent` of the total, by the session just started (`T1`)."""

    percent: int
    used: int
    total: int
    remaining: int
    pool: Pool
    cycle_number: int
    cycle_ends_at: int


@dataclass(frozen=True, slots=True)
class SessionsExhausted(_Happened):
    """The account has no session left: all are used, or there are none at all (`T3`)."""

    reason: ExhaustionReason
    used: int
    total: int
    remaining: int
    pool: Pool
    cycle_number: int
    cycle_ends_at: int


@dataclass(frozen=True, slots=True)
class SessionsAvailable(_Happened):
    """An exhausted account has sessions again (`T5`)."""

    reason: AvailableReason
    used: int
    total: int
    remaining: int


@dataclass(frozen=True, slots=True)
class ChatHandedOff(_Happened):
    """A conversation goes to the agents (`T4`), because of an interaction that `occurred_at` that moment (UTC ms).

    Journals of release 0.1.0 do not say when; the widget was always the same.
    """

    handoff_id: str
    conversation_id: str
    end_user_id: str
    bot_id: str
    reason: ExhaustionReason
    widget: Widget = "conversations"
    occurred_at: int | None = None


@dataclass(frozen=True, slots=True)
class AccountClosed(_Happened):
    """The account ended (`C4`); `was_exhausted` says that its bots stood still already."""

    was_exhausted: bool


@dataclass(frozen=True, slots=True)
class CommandHandled(_Happened):
    """A command of a known account was judged (`C1`): `reason` and `message` are those of a refusal, else None.

    `charged` is what it cost, None if nothing, and always in journals of release 0.1.0. Only the event that sold
    something has a `charge`, so that whoever sums these up counts each once.
    """

    command_id: str
    command: str
    issued_by: str
    result: CommandOutcome
    reason: Refusal | None
    message: str | None
    charged: Money | None = None


Event = (
    AccountOpened
    | PlanChanged
    | ComplimentaryGranted
    | ComplimentaryForfeited
    | PacksPurchased
    | PackReductionScheduled
    | PackReductionCancelled
    | CycleStarted
    | BillingCycleChangeScheduled
    | SessionsCredited
    | ThresholdsSet
    | AutoRechargeSet
    | ContactsSet
    | SessionStarted
    | ThresholdReached
    | SessionsExhausted
    | SessionsAvailable
    | ChatHandedOff
    | AccountClosed
    | CommandHandled
)
