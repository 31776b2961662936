"""The messages of the journal: one for each event, told apart by `type`, with the cause last.

What an event means is said in `botmeter.domain.events`; here is what others may rely on.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from botmeter.contracts.inputs import Id, Instant
from botmeter.domain.commands import Plan, Refusal
from botmeter.domain.cycles import BillingCycle
from botmeter.domain.events import AvailableReason, ExhaustionReason, Pool
from botmeter.domain.sessions import Widget

#: A moment as botmeter writes it: UTC, milliseconds, `Z`.
Moment = Annotated[
    Instant,
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
        }
    ),
]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Percent = Annotated[int, Field(ge=1, le=99)]


class WireModel(BaseModel):
    """Any message botmeter writes. Later versions may add fields; readers ignore those they do not know."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class Charge(WireModel):
    """Money, in minor units of its currency (cents of USD)."""

    amount_minor: Count
    currency: str


class CausedByInteraction(WireModel):
    """The record of the interaction."""

    topic: str
    partition: Count
    offset: Count
    event_id: Id


class CausedByCommand(WireModel):
    """The record of the command; `before_offset` is the first interaction not yet taken at that moment."""

    topic: str
    partition: Count
    offset: Count
    command_id: Id
    before_offset: Count


class CausedByTimer(WireModel):
    """The timer that starts due billing cycles; `before_offset` as for commands."""

    timer: Literal["cycle"]
    before_offset: Count


Cause = CausedByInteraction | CausedByCommand | CausedByTimer


class EventMessage(WireModel):
    """What every event carries; its `cause` follows its own fields."""

    type: str
    account_id: Id
    version: Annotated[Positive, Field(description="1, 2, 3, ... in the account's journal, without gaps.")]
    at: Annotated[Moment, Field(description="When it took effect, by the broker's clock.")]


class AccountOpened(EventMessage):
    """The account exists; `starts_at` and `ends_at` bound its billing cycle number 1."""

    type: Literal["account_opened"]
    plan: Plan
    billing_cycle: BillingCycle
    anchor: Moment
    time_zone: str
    contacts: list[str]
    thresholds: list[Percent]
    starts_at: Moment
    ends_at: Moment
    cause: Cause


class PlanChanged(EventMessage):
    """The account moved to another plan."""

    type: Literal["plan_changed"]
    plan: Plan
    cause: Cause


class ComplimentaryGranted(EventMessage):
    """The once-ever complimentary sessions."""

    type: Literal["complimentary_granted"]
    sessions: Positive
    cause: Cause


class ComplimentaryForfeited(EventMessage):
    """The complimentary pool ended; `sessions` were left in it."""

    type: Literal["complimentary_forfeited"]
    sessions: Count
    cause: Cause


class PacksPurchased(EventMessage):
    """Packs bought, by a command or by auto-recharge; `total` and `used` are the pool's after it."""

    type: Literal["packs_purchased"]
    packs: Positive
    sessions: Positive
    charge: Charge
    total: Count
    used: Count
    trigger: Literal["command", "auto_recharge"]
    cause: Cause


class PackReductionScheduled(EventMessage):
    """`packs` fewer from the next billing cycle on, which leaves `packs_next_cycle`."""

    type: Literal["pack_reduction_scheduled"]
    packs: Positive
    packs_next_cycle: Count
    cause: Cause


class PackReductionCancelled(EventMessage):
    """The next billing cycle keeps the packs of this one."""

    type: Literal["pack_reduction_cancelled"]
    packs_next_cycle: Count
    cause: Cause


class CycleStarted(EventMessage):
    """A billing cycle began: `expired` sessions lapsed, `packs` renewed for `charge` (null without packs)."""

    type: Literal["cycle_started"]
    number: Positive
    starts_at: Moment
    ends_at: Moment
    billing_cycle: BillingCycle
    anchor: Moment
    pool: Pool
    packs: Count
    total: Count
    used: Count
    expired: Count
    charge: Charge | None
    cause: Cause


class BillingCycleChangeScheduled(EventMessage):
    """From `effective_at` on, the next boundary, billing cycles have another length."""

    type: Literal["billing_cycle_change_scheduled"]
    billing_cycle: BillingCycle
    effective_at: Moment
    cause: Cause


class SessionsCredited(EventMessage):
    """A goodwill credit; `pool`, `total` and `used` are those after it."""

    type: Literal["sessions_credited"]
    sessions: Positive
    reason: str
    pool: Pool
    total: Count
    used: Count
    cause: Cause


class ThresholdsSet(EventMessage):
    """`reached` of the `percents` lie at or below the present usage and will not alert."""

    type: Literal["thresholds_set"]
    percents: list[Percent]
    reached: list[Percent]
    cause: Cause


class AutoRechargeSet(EventMessage):
    """Auto-recharge as it now stands; 0 packs: off."""

    type: Literal["auto_recharge_set"]
    below: Count
    packs: Count
    cause: Cause


class ContactsSet(EventMessage):
    """Who is told of alerts from now on."""

    type: Literal["contacts_set"]
    contacts: list[str]
    cause: Cause


class SessionStarted(EventMessage):
    """A charged bot session, from `started_at` up to but not including `ends_at`; `used` counts it."""

    type: Literal["session_started"]
    session_id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    end_user_id: Id
    preview: bool
    started_at: Moment
    ends_at: Moment
    cycle_number: Positive
    pool: Pool
    used: Positive
    bot_id: Id
    conversation_id: Id
    widget: Widget
    cause: Cause


class ThresholdReached(EventMessage):
    """Usage came to `percent` of the total, by the session just started."""

    type: Literal["threshold_reached"]
    percent: Percent
    used: Count
    total: Positive
    remaining: Count
    pool: Pool
    cycle_number: Positive
    cycle_ends_at: Moment
    cause: Cause


class SessionsExhausted(EventMessage):
    """The account has no session left: all are used, or there are none at all."""

    type: Literal["sessions_exhausted"]
    reason: ExhaustionReason
    used: Count
    total: Count
    remaining: Count
    pool: Pool
    cycle_number: Positive
    cycle_ends_at: Moment
    cause: Cause


class SessionsAvailable(EventMessage):
    """An exhausted account has sessions again."""

    type: Literal["sessions_available"]
    reason: AvailableReason
    used: Count
    total: Positive
    remaining: Positive
    cause: Cause


class ChatHandedOff(EventMessage):
    """A conversation goes to the agents."""

    type: Literal["chat_handed_off"]
    handoff_id: str
    conversation_id: Id
    end_user_id: Id
    bot_id: Id
    reason: ExhaustionReason
    cause: Cause


class AccountClosed(EventMessage):
    """The account ended; `was_exhausted` says that its bots stood still already."""

    type: Literal["account_closed"]
    was_exhausted: bool
    cause: Cause


class CommandHandled(EventMessage):
    """A command was judged; `reason` and `message` are those of a refusal, else null."""

    type: Literal["command_handled"]
    command_id: Id
    command: Annotated[str, Field(description="The command's type as it was sent; empty when it had none.")]
    issued_by: Annotated[str, Field(description="Who asked; empty when that could not be read.")]
    result: Literal["accepted", "rejected"]
    reason: Refusal | None
    message: str | None
    cause: Cause


JournalMessage = Annotated[
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
    | CommandHandled,
    Field(discriminator="type"),
]


def members(union: Any) -> tuple[type[BaseModel], ...]:
    """The models of a discriminated union such as `JournalMessage`."""
    return get_args(get_args(union)[0])


#: Every event's model, in the contract's order.
JOURNAL: Final = members(JournalMessage)
