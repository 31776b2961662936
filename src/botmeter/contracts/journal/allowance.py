"""What adds to an account's allowance and takes from it: complimentary sessions, packs, credits, billing cycles."""

from __future__ import annotations

from typing import Literal

from botmeter.contracts.fields import Count, Moment, Positive
from botmeter.contracts.journal.event import BY_COMMAND, BY_TIMER, CHARGE, Cause, EventMessage, event
from botmeter.contracts.message_model import CYCLE_ENDS, CYCLE_STARTS, Charge
from botmeter.domain.cycles import BillingCycle
from botmeter.domain.events import Pool


class ComplimentaryGranted(EventMessage, example=event(2, BY_COMMAND, sessions=500)):
    """The once-ever complimentary sessions."""

    type: Literal["complimentary_granted"]
    sessions: Positive
    cause: Cause


class ComplimentaryForfeited(EventMessage, example=event(4, BY_COMMAND, sessions=480)):
    """The complimentary pool ended; `sessions` were left in it."""

    type: Literal["complimentary_forfeited"]
    sessions: Count
    cause: Cause


class PacksPurchased(
    EventMessage,
    example=event(5, BY_COMMAND, packs=2, sessions=2000, charge=CHARGE, total=2000, used=0, trigger="command"),
):
    """Packs bought, by a command or by auto-recharge; `total` and `used` are the pool's after it."""

    type: Literal["packs_purchased"]
    packs: Positive
    sessions: Positive
    charge: Charge
    total: Count
    used: Count
    trigger: Literal["command", "auto_recharge"]
    cause: Cause


class PackReductionScheduled(EventMessage, example=event(7, BY_COMMAND, packs=1, packs_next_cycle=1)):
    """`packs` fewer from the next billing cycle on, which leaves `packs_next_cycle`."""

    type: Literal["pack_reduction_scheduled"]
    packs: Positive
    packs_next_cycle: Count
    cause: Cause


class PackReductionCancelled(EventMessage, example=event(9, BY_COMMAND, packs_next_cycle=2)):
    """The next billing cycle keeps the packs of this one."""

    type: Literal["pack_reduction_cancelled"]
    packs_next_cycle: Count
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


class SessionsCredited(
    EventMessage, example=event(14, BY_COMMAND, sessions=100, reason="outage", pool="purchased", total=2100, used=3)
):
    """A goodwill credit; `pool`, `total` and `used` are those after it."""

    type: Literal["sessions_credited"]
    sessions: Positive
    reason: str
    pool: Pool
    total: Count
    used: Count
    cause: Cause
