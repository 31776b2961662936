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
#: Why bots are suspended (`T3`).
ExhaustionReason = Literal["sessions_exhausted", "no_sessions"]
#: Why bots resume (`T5`).
AvailableReason = Literal["packs_purchased", "cycle_started", "sessions_credited", "plan_changed"]
#: What caused a purchase of packs (`A5`, `A11`).
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
    """The record of the command; `before_offset` is the offset of the first interaction not yet taken then (`J4`)."""

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
class _EventFields:
    account_id: str
    version: int
    at: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class AccountOpened(_EventFields):
    """The account was opened; `starts_at` and `ends_at` are the bounds of its cycle 1 (`A4`)."""

    plan: Plan
    billing_cycle: BillingCycle
    anchor: int
    time_zone: str
    contacts: Contacts
    thresholds: tuple[int, ...]
    starts_at: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class PlanChanged(_EventFields):
    """The account moved to another plan."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class ComplimentaryGranted(_EventFields):
    """The complimentary pool was granted, which happens once per account (`A1`)."""

    sessions: int


@dataclass(frozen=True, slots=True)
class ComplimentaryForfeited(_EventFields):
    """The complimentary pool ended; `sessions` were left in it (`A2`)."""

    sessions: int


@dataclass(frozen=True, slots=True)
class PacksPurchased(_EventFields):
    """Packs were bought; `total` and `used` are the pool's values after it (`A5`, `A11`)."""

    packs: int
    sessions: int
    charge: Money
    total: int
    used: int
    trigger: PurchaseTrigger


@dataclass(frozen=True, slots=True)
class PackReductionScheduled(_EventFields):
    """`packs` were removed from the next cycle on, which leaves `packs_next_cycle` (`A7`)."""

    packs: int
    packs_next_cycle: int


@dataclass(frozen=True, slots=True)
class PackReductionCancelled(_EventFields):
    """The next cycle keeps the packs of this one (`A7`)."""

    packs_next_cycle: int


@dataclass(frozen=True, slots=True)
class CycleStarted(_EventFields):
    """A billing cycle started: `expired` sessions lapsed, `packs` were renewed for `charge` (`A6`).

    `total` and `used` are the pool's values after it; a complimentary pool does not change at a boundary (`A2`).
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
class BillingCycleChangeScheduled(_EventFields):
    """Cycles have another length from `effective_at` on, the next boundary, which becomes the anchor (`A9`)."""

    billing_cycle: BillingCycle
    effective_at: int


@dataclass(frozen=True, slots=True)
class SessionsCredited(_EventFields):
    """Sessions were added as goodwill; `pool`, `total` and `used` are the values after it (`A10`)."""

    sessions: int
    reason: str
    pool: Pool
    total: int
    used: int


@dataclass(frozen=True, slots=True)
class ThresholdsSet(_EventFields):
    """The thresholds are `percents`; those in `reached` are at or below the current usage and do not alert (`T1`)."""

    percents: tuple[int, ...]
    reached: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AutoRechargeSet(_EventFields):
    """Auto-recharge was set; 0 packs turn it off (`A11`)."""

    below: int
    packs: int


@dataclass(frozen=True, slots=True)
class ContactsSet(_EventFields):
    """The contacts that receive alerts were set."""

    contacts: Contacts


@dataclass(frozen=True, slots=True)
class SessionStarted(_EventFields):
    """A session was charged, `[started_at, ends_at)`; `used` includes it, in cycle `cycle_number` (`S1`, `A13`)."""

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
class ThresholdReached(_EventFields):
    """The session just started raised usage to `percent` of the total (`T1`)."""

    percent: int
    used: int
    total: int
    remaining: int
    pool: Pool
    cycle_number: int
    cycle_ends_at: int


@dataclass(frozen=True, slots=True)
class SessionsExhausted(_EventFields):
    """The account has no session left: all are used, or there are none at all (`T3`)."""

    reason: ExhaustionReason
    used: int
    total: int
    remaining: int
    pool: Pool
    cycle_number: int
    cycle_ends_at: int


@dataclass(frozen=True, slots=True)
class SessionsAvailable(_EventFields):
    """An exhausted account has sessions again (`T5`)."""

    reason: AvailableReason
    used: int
    total: int
    remaining: int


@dataclass(frozen=True, slots=True)
class ChatHandedOff(_EventFields):
    """A conversation was handed off to the agents (`T4`), because of an interaction at `occurred_at` (UTC ms).

    Journals of release 0.1.0 lack `occurred_at`, and their widget is always `conversations`.
    """

    handoff_id: str
    conversation_id: str
    end_user_id: str
    bot_id: str
    reason: ExhaustionReason
    widget: Widget = "conversations"
    occurred_at: int | None = None


@dataclass(frozen=True, slots=True)
class AccountClosed(_EventFields):
    """The account was closed (`C4`); `was_exhausted`: its bots were already suspended."""

    was_exhausted: bool


@dataclass(frozen=True, slots=True)
class CommandHandled(_EventFields):
    """A command for a known account was handled (`C1`): `reason` and `message` are those of a refusal, else None.

    `charged` is its price, None if it cost nothing, and always None in journals of release 0.1.0. Only the event of the
    purchase itself has a `charge`, so a sum over `charge` counts each purchase once.
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
