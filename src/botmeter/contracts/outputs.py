"""The messages botmeter writes beside the journal."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from botmeter.contracts.delivery import DeliveryChannel, DeliveryState
from botmeter.contracts.fields import Count, Id, Moment, Positive
from botmeter.contracts.message_model import AT, CYCLE_ENDS, CYCLE_STARTS, WireModel
from botmeter.domain.account import Status
from botmeter.domain.commands import Plan, Refusal
from botmeter.domain.cycles import BillingCycle
from botmeter.domain.events import AvailableReason, ExhaustionReason, Pool

# --- Balances --------------------------------------------------------------------------------------------------------


class BillingCycleOfBalance(WireModel):
    """The billing cycle that the balance is of, up to but not including `ends_at`."""

    number: Positive
    billing_cycle: BillingCycle
    starts_at: Moment
    ends_at: Moment


class Balance(
    WireModel,
    example={
        "account_id": "acme",
        "version": 42,
        "at": AT,
        "status": "active",
        "plan": "growth",
        "pool": "purchased",
        "total": 2000,
        "used": 1600,
        "remaining": 400,
        "used_percent": 80.0,
        "packs": 2,
        "packs_next_cycle": 1,
        "cycle": {"number": 3, "billing_cycle": "monthly", "starts_at": CYCLE_STARTS, "ends_at": CYCLE_ENDS},
    },
):
    """An account's balance; the one with the highest version counts."""

    type: Literal["balance"]
    account_id: Id
    version: Positive
    at: Moment
    status: Status
    plan: Plan
    pool: Pool
    total: Count
    used: Count
    remaining: Count
    used_percent: Annotated[float, Field(ge=0, le=100, description="Rounded down to one decimal; 0 when total is 0.")]
    packs: Count
    packs_next_cycle: Count
    cycle: BillingCycleOfBalance


# --- Alerts ----------------------------------------------------------------------------------------------------------


class _Alert(WireModel):
    type: str
    alert_id: Annotated[str, Field(description="Names the alert: the same one written again has the same id.")]
    account_id: Id
    version: Positive
    at: Moment
    percent: Annotated[int, Field(ge=1, le=100)]
    used: Count
    total: Positive
    remaining: Count
    pool: Pool
    cycle_number: Positive
    cycle_ends_at: Moment
    contacts: Annotated[list[str], Field(description="Who is to be told.")]


class ThresholdReachedAlert(
    _Alert,
    example={
        "alert_id": "acme/42",
        "account_id": "acme",
        "version": 42,
        "at": AT,
        "percent": 80,
        "used": 1600,
        "total": 2000,
        "remaining": 400,
        "pool": "purchased",
        "cycle_number": 3,
        "cycle_ends_at": CYCLE_ENDS,
        "contacts": ["admin@acme.example"],
    },
):
    """Usage came to `percent` of the allowance."""

    type: Literal["threshold_reached"]


class SessionsExhaustedAlert(
    _Alert,
    example={
        "alert_id": "acme/443",
        "account_id": "acme",
        "version": 443,
        "at": AT,
        "percent": 100,
        "used": 2000,
        "total": 2000,
        "remaining": 0,
        "pool": "purchased",
        "cycle_number": 3,
        "cycle_ends_at": CYCLE_ENDS,
        "contacts": ["admin@acme.example"],
    },
):
    """The last session of the allowance is used."""

    type: Literal["sessions_exhausted"]


# --- Handoffs --------------------------------------------------------------------------------------------------------


class ChatHandedOffMessage(
    WireModel,
    example={
        "handoff_id": "acme/444",
        "account_id": "acme",
        "version": 444,
        "at": AT,
        "conversation_id": "c-9",
        "end_user_id": "u-7",
        "bot_id": "b-1",
        "reason": "sessions_exhausted",
    },
):
    """This conversation goes to the agents."""

    type: Literal["chat_handed_off"]
    handoff_id: Annotated[str, Field(description="Names the handoff: the same one written again has the same id.")]
    account_id: Id
    version: Positive
    at: Moment
    conversation_id: Id
    end_user_id: Id
    bot_id: Id
    reason: ExhaustionReason


class BotSuspended(
    WireModel,
    example={
        "account_id": "acme",
        "version": 443,
        "at": AT,
        "reason": "sessions_exhausted",
        "conversations": "transfer_to_agents",
        "self_service": "stopped",
    },
):
    """The account's bots stand still: new chats go to the agents, self-service widgets stop."""

    type: Literal["bot_suspended"]
    account_id: Id
    version: Positive
    at: Moment
    reason: ExhaustionReason | Literal["account_closed"]
    conversations: Literal["transfer_to_agents"]
    self_service: Literal["stopped"]


class BotResumed(
    WireModel,
    example={
        "account_id": "acme",
        "version": 451,
        "at": AT,
        "reason": "packs_purchased",
    },
):
    """The account's bots go on."""

    type: Literal["bot_resumed"]
    account_id: Id
    version: Positive
    at: Moment
    reason: AvailableReason


# --- Command results -------------------------------------------------------------------------------------------------


class Accepted(
    WireModel,
    example={
        "command_id": "k-2",
        "account_id": "acme",
        "version": 7,
        "at": AT,
    },
):
    """The command was carried out; `version` is the account's after it."""

    type: Literal["accepted"]
    command_id: Id
    account_id: Id
    version: Positive
    at: Moment


class Rejected(
    WireModel,
    example={
        "command_id": "k-3",
        "account_id": "acme",
        "at": AT,
        "reason": "reduces_below_zero",
        "message": "the next cycle has 1 packs, 2 cannot be taken away",
    },
):
    """The command changed nothing."""

    type: Literal["rejected"]
    command_id: Id
    account_id: Id
    at: Moment
    reason: Annotated[Refusal, Field(description="For programs; more reasons may be added.")]
    message: Annotated[str, Field(description="For people.")]


# --- Snapshots -------------------------------------------------------------------------------------------------------


class Snapshot(
    WireModel,
    example={
        "account_id": "acme",
        "version": 42,
        "journal_offset": 1018,
        "account": {"account_id": "acme", "version": 42, "status": "active"},
    },
):
    """Internal: an account, from which a worker restores it instead of reading its whole journal."""

    type: Literal["snapshot"]
    account_id: Id
    version: Positive
    journal_offset: Annotated[Count, Field(description="The account's journal before this offset is in the snapshot.")]
    account: Annotated[dict[str, Any], Field(description="The state; its shape may change with any release.")]


# --- Deliveries ------------------------------------------------------------------------------------------------------


class DeliveryMessage(
    WireModel,
    example={
        "delivery_id": "acme/42/email/1",
        "account_id": "acme",
        "at": AT,
        "alert_id": "acme/42",
        "channel": "email",
        "recipient": "a…@acme.example",
        "state": "sent",
        "attempts": 1,
        "reason": None,
    },
):
    """Where the delivery of an alert to one recipient stands; the latest message of a `delivery_id` counts."""

    type: Literal["delivery"]
    delivery_id: Annotated[Id, Field(description="Names the delivery: one alert on one channel to one recipient.")]
    account_id: Id
    at: Annotated[Moment, Field(description="When it came to this state, by the notifier's clock.")]
    alert_id: Annotated[str, Field(description="That of the alert.")]
    channel: DeliveryChannel
    recipient: Annotated[str, Field(description="An address or URL, masked.")]
    state: Annotated[
        DeliveryState,
        Field(
            description="maybe_twice: it was sent, and may have arrived twice. retrying: there will be more attempts."
        ),
    ]
    attempts: Annotated[Count, Field(description="How often it was tried.")]
    reason: Annotated[str | None, Field(description="Why it is not sent, for people; null when it is.")]


AlertMessage = Annotated[ThresholdReachedAlert | SessionsExhaustedAlert, Field(discriminator="type")]
HandoffMessage = Annotated[ChatHandedOffMessage | BotSuspended | BotResumed, Field(discriminator="type")]
AnswerMessage = Annotated[Accepted | Rejected, Field(discriminator="type")]
