"""An account's lifecycle and terms: opened, plan, contacts, thresholds, auto-recharge, closed; and handled commands."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from botmeter.contracts import described
from botmeter.contracts.fields import Moment, Percent
from botmeter.contracts.journal.event import BY_COMMAND, Cause, EventMessage, event
from botmeter.contracts.message_model import CYCLE_ENDS, CYCLE_STARTS, Charge
from botmeter.domain.commands import Refusal
from botmeter.domain.events import CommandOutcome


class AccountOpened(
    EventMessage,
    example=event(
        1,
        BY_COMMAND,
        plan="growth",
        billing_cycle="monthly",
        anchor=CYCLE_STARTS,
        time_zone="America/New_York",
        contacts=["admin@acme.example"],
        thresholds=[80],
        starts_at=CYCLE_STARTS,
        ends_at=CYCLE_ENDS,
    ),
):
    """The account was opened; `starts_at` and `ends_at` are the bounds of its billing cycle number 1."""

    type: Literal["account_opened"]
    plan: described.Plan
    billing_cycle: described.BillingCycle
    anchor: Annotated[
        Moment, Field(description="The start of the billing cycles, UTC; before, in or after the first cycle.")
    ]
    time_zone: described.TimeZone
    contacts: described.Contacts
    thresholds: Annotated[list[Percent], Field(description="The percentages of usage that alert, ascending.")]
    starts_at: described.CycleStartsAt
    ends_at: described.CycleEndsAt
    cause: Cause


class PlanChanged(EventMessage, example=event(4, BY_COMMAND, plan="pro")):
    """The account moved to another plan."""

    type: Literal["plan_changed"]
    plan: described.Plan
    cause: Cause


class BillingCycleChangeScheduled(
    EventMessage, example=event(12, BY_COMMAND, billing_cycle="quarterly", effective_at=CYCLE_ENDS)
):
    """Billing cycles have another length from the next boundary, `effective_at`, on."""

    type: Literal["billing_cycle_change_scheduled"]
    billing_cycle: described.BillingCycle
    effective_at: Annotated[
        Moment, Field(description="When it takes effect, UTC: the end of the present billing cycle.")
    ]
    cause: Cause


class ThresholdsSet(EventMessage, example=event(16, BY_COMMAND, percents=[50, 80, 95], reached=[50])):
    """Thresholds were set; those in `reached` are at or below the present usage and do not alert for now."""

    type: Literal["thresholds_set"]
    percents: Annotated[list[Percent], Field(description="The percentages of usage that alert, ascending.")]
    reached: Annotated[
        list[Percent],
        Field(description="Those that usage has already reached, ascending: they do not alert for now."),
    ]
    cause: Cause


class AutoRechargeSet(EventMessage, example=event(18, BY_COMMAND, below=500, packs=1)):
    """Auto-recharge was set; 0 packs: off."""

    type: Literal["auto_recharge_set"]
    below: described.Below
    packs: described.RechargePacks
    cause: Cause


class ContactsSet(EventMessage, example=event(20, BY_COMMAND, contacts=["billing@acme.example"])):
    """The contacts who receive alerts from now on."""

    type: Literal["contacts_set"]
    contacts: described.Contacts
    cause: Cause


class AccountClosed(EventMessage, example=event(460, BY_COMMAND, was_exhausted=False)):
    """The account was closed; `was_exhausted`: its bots were already suspended."""

    type: Literal["account_closed"]
    was_exhausted: Annotated[bool, Field(description="Whether its bots were already suspended.")]
    cause: Cause


class CommandHandled(
    EventMessage,
    example=event(
        461,
        BY_COMMAND,
        command_id="k-2",
        command="reduce_packs",
        issued_by="admin",
        result="rejected",
        reason="reduces_below_zero",
        message="the next cycle has 1 packs, 2 cannot be taken away",
        charged=None,
    ),
):
    """A command was accepted or rejected; `reason` and `message` are those of a rejection, else null."""

    type: Literal["command_handled"]
    command_id: described.CommandId
    command: Annotated[str, Field(description="The command's type as it was sent; empty when it had none.")]
    issued_by: Annotated[str, Field(description="Who issued it; empty when that could not be read.")]
    result: Annotated[CommandOutcome, Field(description="A rejected command changed nothing.")]
    reason: Annotated[
        Refusal | None,
        Field(description="Why it was rejected, for programs; more may be added. null: it was accepted."),
    ]
    message: Annotated[str | None, Field(description="Why it was rejected, for people. null: it was accepted.")]
    charged: Annotated[
        Charge | None,
        Field(
            description="What the command cost; the event of the purchase has the `charge` itself. null: nothing, or "
            "the event is older than release 0.2.0."
        ),
    ] = None
    cause: Cause
