"""The messages botmeter writes beside the journal, and the headers of all it writes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from botmeter.contracts.inputs import Id
from botmeter.contracts.journal import Count, Moment, Positive, WireModel
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


class Balance(WireModel):
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


class ThresholdReachedAlert(_Alert):
    """Usage came to `percent` of the allowance."""

    type: Literal["threshold_reached"]


class SessionsExhaustedAlert(_Alert):
    """The last session of the allowance is used."""

    type: Literal["sessions_exhausted"]


# --- Handoffs --------------------------------------------------------------------------------------------------------


class ChatHandedOffMessage(WireModel):
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


class BotSuspended(WireModel):
    """The account's bots stand still: new chats go to the agents, self-service widgets stop."""

    type: Literal["bot_suspended"]
    account_id: Id
    version: Positive
    at: Moment
    reason: ExhaustionReason | Literal["account_closed"]
    conversations: Literal["transfer_to_agents"]
    self_service: Literal["stopped"]


class BotResumed(WireModel):
    """The account's bots go on."""

    type: Literal["bot_resumed"]
    account_id: Id
    version: Positive
    at: Moment
    reason: AvailableReason


# --- Command results -------------------------------------------------------------------------------------------------


class Accepted(WireModel):
    """The command was carried out; `version` is the account's after it."""

    type: Literal["accepted"]
    command_id: Id
    account_id: Id
    version: Positive
    at: Moment


class Rejected(WireModel):
    """The command changed nothing."""

    type: Literal["rejected"]
    command_id: Id
    account_id: Id
    at: Moment
    reason: Annotated[Refusal, Field(description="For programs; more reasons may be added.")]
    message: Annotated[str, Field(description="For people.")]


# --- Snapshots -------------------------------------------------------------------------------------------------------


class Snapshot(WireModel):
    """Internal: an account, from which a worker restores it instead of reading its whole journal."""

    type: Literal["snapshot"]
    account_id: Id
    version: Positive
    journal_offset: Annotated[Count, Field(description="The account's journal before this offset is in the snapshot.")]
    account: Annotated[dict[str, Any], Field(description="The state; its shape may change with any release.")]


# --- Headers ---------------------------------------------------------------------------------------------------------


class _CloudEvent(WireModel):
    model_config = ConfigDict(extra="allow")

    ce_specversion: Literal["1.0"]
    ce_id: Annotated[str, Field(min_length=1, description="Deterministic; unique over all topics.")]
    ce_source: Literal["/botmeter"]
    ce_type: Annotated[str, Field(pattern="^botmeter\\.[a-z_]+\\.v[0-9]+$")]
    ce_time: Moment


class OutputHeaders(_CloudEvent):
    """CloudEvents 1.0, Kafka binding, binary mode; every value is UTF-8 text."""

    ce_subject: Annotated[Id, Field(description="The account_id.")]
    content_type: Annotated[Literal["application/json"], Field(alias="content-type")]
    traceparent: Annotated[str | None, Field(description="That of the record it came from, if it had one.")] = None


class DeadLetterHeaders(_CloudEvent):
    """The original's headers come first and untouched; of a name that occurs twice the last one counts."""

    ce_subject: Annotated[
        str | None, Field(description="The original's account_id, else its key, where it can be one.")
    ] = None
    content_type: Annotated[
        str,
        Field(
            alias="content-type",
            description="The original's own; else JSON, or application/octet-stream if it is none.",
        ),
    ]
    botmeter_reason: Annotated[
        Literal[
            "malformed",
            "invalid",
            "too_large",
            "wrong_key",
            "wrong_partition",
            "in_future",
            "too_late",
            "unknown_account",
            "account_closed",
        ],
        Field(description="For programs; more reasons may be added."),
    ]
    error_message: Annotated[str, Field(alias="__streams.errors.message", description="For people.")]
    error_topic: Annotated[str, Field(alias="__streams.errors.topic")]
    error_partition: Annotated[str, Field(alias="__streams.errors.partition", pattern="^[0-9]+$")]
    error_offset: Annotated[str, Field(alias="__streams.errors.offset", pattern="^[0-9]+$")]
    botmeter_truncated: Annotated[
        Literal["true"] | None, Field(description="Present when the value was cut to what the topic takes.")
    ] = None
