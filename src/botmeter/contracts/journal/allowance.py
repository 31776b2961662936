"""Changes of an account's allowance: complimentary sessions, packs, credits, billing cycles."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from botmeter.contracts import described
from botmeter.contracts.fields import Count, Moment, Positive
from botmeter.contracts.journal.event import BY_COMMAND, BY_TIMER, CHARGE, Cause, EventMessage, event
from botmeter.contracts.message_model import CYCLE_ENDS, CYCLE_STARTS, Charge
from botmeter.domain.events import PurchaseTrigger


class ComplimentaryGranted(EventMessage, example=event(2, BY_COMMAND, sessions=500)):
    """The complimentary sessions, which an account gets once, were granted."""

    type: Literal["complimentary_granted"]
    sessions: Annotated[Positive, Field(description="How many.")]
    cause: Cause


class ComplimentaryForfeited(EventMessage, example=event(4, BY_COMMAND, sessions=480)):
    """The complimentary pool ended; `sessions` were left in it."""

    type: Literal["complimentary_forfeited"]
    sessions: Annotated[Count, Field(description="How many of them were left, and expired.")]
    cause: Cause


class PacksPurchased(
    EventMessage,
    example=event(5, BY_COMMAND, packs=2, sessions=2000, charge=CHARGE, total=2000, used=0, trigger="command"),
):
    """Packs were bought, by a command or by auto-recharge; `total` and `used` are those after it."""

    type: Literal["packs_purchased"]
    packs: Annotated[Positive, Field(description="How many were bought, for this billing cycle and each that follows.")]
    sessions: Annotated[Positive, Field(description="How many sessions they contain.")]
    charge: described.Charge
    total: described.Total
    used: described.Used
    trigger: Annotated[
        PurchaseTrigger,
        Field(description="Who bought them: a command, or the account's auto-recharge."),
    ]
    cause: Cause


class PackReductionScheduled(EventMessage, example=event(7, BY_COMMAND, packs=1, packs_next_cycle=1)):
    """The next billing cycle has `packs` fewer, which leaves `packs_next_cycle`."""

    type: Literal["pack_reduction_scheduled"]
    packs: Annotated[Positive, Field(description="How many fewer there will be.")]
    packs_next_cycle: described.PacksNextCycle
    cause: Cause


class PackReductionCancelled(EventMessage, example=event(9, BY_COMMAND, packs_next_cycle=2)):
    """The next billing cycle keeps the packs of this one."""

    type: Literal["pack_reduction_cancelled"]
    packs_next_cycle: described.PacksNextCycle
    cause: Cause


class CycleStarted(
    EventMessage,
    example=event(
        11,
        BY_TIMER,
        number=3,
        starts_at=CYCLE_STARTS,
        ends_at=CYCLE_ENDS,
        billing_cycle="monthly",
        anchor=CYCLE_STARTS,
        pool="purchased",
        packs=2,
        total=2000,
        used=0,
        expired=400,
        charge=CHARGE,
    ),
):
    """A billing cycle started: `expired` sessions lapsed, `packs` were renewed for `charge` (null without packs)."""

    type: Literal["cycle_started"]
    number: described.CycleNumber
    starts_at: described.CycleStartsAt
    ends_at: described.CycleEndsAt
    billing_cycle: described.BillingCycle
    anchor: Annotated[Moment, Field(description="The start of the billing cycles, UTC.")]
    pool: described.Pool
    packs: described.Packs
    total: described.Total
    used: described.Used
    expired: Annotated[Count, Field(description="Sessions that were left of the previous cycle, and expired.")]
    charge: Annotated[Charge | None, Field(description="What the packs of this cycle cost. null: there are none.")]
    cause: Cause


class SessionsCredited(
    EventMessage, example=event(14, BY_COMMAND, sessions=100, reason="outage", pool="purchased", total=2100, used=3)
):
    """A goodwill credit was added; `pool`, `total` and `used` are those after it."""

    type: Literal["sessions_credited"]
    sessions: Annotated[Positive, Field(description="How many were added.")]
    reason: Annotated[str, Field(description="Why, in the issuer's words.")]
    pool: described.Pool
    total: described.Total
    used: described.Used
    cause: Cause
