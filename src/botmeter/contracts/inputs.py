"""The messages that botmeter reads: interactions and commands. Types are strict; unknown fields are ignored.

These models are the contract: schemas, error messages, and the types and limits of the fast decoder (`derivation.py`)
are generated from them.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from botmeter.contracts.contact import Contacts
from botmeter.contracts.fields import Anchor, Id, Instant, Packs, Percents, Sessions, TimeZone
from botmeter.contracts.message_model import AT, Example, MessageModel
from botmeter.domain.commands import Plan
from botmeter.domain.cycles import BillingCycle
from botmeter.domain.sessions import Actor, Widget


class _Input(MessageModel):
    #: Built when first used: most starts never see a bad record.
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, defer_build=True)


_AccountId = Annotated[
    Id,
    Field(
        description="The account. In UTF-8 it must be the record's key, and the record must be on the partition that "
        "Kafka's default partitioner (murmur2) gives the key: Java clients do so by themselves, clients on "
        "librdkafka with partitioner=murmur2_random."
    ),
]
_BillingCycle = Annotated[BillingCycle, Field(description="1, 3, 6 or 12 months of the account's time zone.")]
_Contacts = Annotated[
    Contacts,
    Field(
        description="Who receives alerts, in the order in which they are listed: an e-mail address, or an object with "
        "more details."
    ),
]

_INTERACTION: Final = {
    "event_id": "e-1",
    "account_id": "acme",
    "end_user_id": "u-1",
    "bot_id": "b-1",
    "conversation_id": "c-1",
    "widget": "conversations",
    "actor": "end_user",
    "preview": False,
    "occurred_at": AT,
}


class InteractionMessage(_Input, example=_INTERACTION):
    """One message or click of an end-user, a bot, an agent or the system, as the chat platform publishes it."""

    event_id: Annotated[Id, Field(description="Identifies the interaction; the same id again changes nothing.")]
    account_id: _AccountId
    end_user_id: Annotated[Id, Field(description="The end-user whose session it opens or joins.")]
    bot_id: Annotated[
        Id | None, Field(description="The bot in the chat. null or missing: there is none, as with agents.")
    ] = None
    conversation_id: Annotated[Id, Field(description="The chat that is handed to agents when no session is left.")]
    widget: Annotated[
        Widget,
        Field(
            description="Where the chat takes place. When no session is left, a chat in conversations goes to "
            "the agents, and the bot in self_service stops."
        ),
    ]
    actor: Annotated[
        Actor, Field(description="Who acted; only end_user opens or joins a session, and only with a bot.")
    ]
    preview: Annotated[
        bool, Field(description="Whether it is a trial of a bot; previews have sessions of their own.")
    ] = False
    occurred_at: Annotated[
        Instant,
        Field(
            description="When it happened, RFC 3339 with any offset: at most 48 hours before the broker appends "
            "the record, and at most 5 minutes after (both are settings)."
        ),
    ]


class CommandAddress(_Input):
    """The fields that a command needs to be answered."""

    command_id: Annotated[Id, Field(description="Unique in the account; the same id again gives the same result.")]
    account_id: _AccountId


class IssuedMessage(CommandAddress):
    """The fields of every command beside its `type`."""

    issued_by: Annotated[Id, Field(description="Who issued the command, for the audit.")]


def _command(**own: Any) -> Example:
    return {"command_id": "k-2", "account_id": "acme", "issued_by": "admin", **own}


class OpenAccountMessage(
    IssuedMessage,
    example=_command(
        plan="growth",
        billing_cycle="monthly",
        anchor="2026-11-01T00:00:00.000Z",
        time_zone="America/New_York",
        contacts=["admin@acme.example"],
    ),
):
    """Opens an account."""

    type: Literal["open_account"]
    plan: Annotated[Plan, Field(description="All but free bring complimentary sessions.")]
    billing_cycle: _BillingCycle
    anchor: Annotated[
        Anchor | None,
        Field(
            description="The start of the billing cycles, RFC 3339 with any offset, in the years 1970 to 2199; it may "
            "lie in the past or the future. null or missing: the record's timestamp."
        ),
    ] = None
    time_zone: Annotated[TimeZone, Field(description="The IANA time zone in which billing cycles are computed.")] = (
        "UTC"
    )
    contacts: _Contacts = []  # noqa: RUF012 - pydantic copies it


class ChangePlanMessage(IssuedMessage, example=_command(plan="pro")):
    """Moves the account to another plan."""

    type: Literal["change_plan"]
    plan: Annotated[Plan, Field(description="The plan from now on; the present plan changes nothing.")]


class PurchasePacksMessage(IssuedMessage, example=_command(packs=2)):
    """Adds packs to this billing cycle at once, and to every following one."""

    type: Literal["purchase_packs"]
    packs: Annotated[Packs, Field(description="How many to add; charged in full at once, and again with each cycle.")]


class ReducePacksMessage(IssuedMessage, example=_command(packs=1)):
    """Removes packs from the next billing cycle on."""

    type: Literal["reduce_packs"]
    packs: Annotated[Packs, Field(description="How many to remove; the present billing cycle keeps its packs.")]


class CancelReductionMessage(IssuedMessage, example=_command()):
    """Cancels a reduction that has not taken effect yet."""

    type: Literal["cancel_reduction"]


class ChangeBillingCycleMessage(IssuedMessage, example=_command(billing_cycle="quarterly")):
    """Changes the length of the billing cycle, from the next boundary on."""

    type: Literal["change_billing_cycle"]
    billing_cycle: _BillingCycle


class CreditSessionsMessage(IssuedMessage, example=_command(sessions=100, reason="outage 11 Nov")):
    """Adds a goodwill credit to the current pool."""

    type: Literal["credit_sessions"]
    sessions: Annotated[Sessions, Field(description="How many to add; they expire with the pool they are added to.")]
    reason: Annotated[str, Field(max_length=1000, description="Why, for the audit.")]


class SetThresholdsMessage(IssuedMessage, example=_command(percents=[50, 80, 95])):
    """Sets the percentages of usage that alert; order and repetition do not matter."""

    type: Literal["set_thresholds"]
    percents: Annotated[
        Percents, Field(description="In any order. Those that usage has already reached do not alert for now.")
    ]


class SetAutoRechargeMessage(IssuedMessage, example=_command(below=500, packs=1)):
    """Sets auto-recharge: buys `packs` whenever fewer than `below` sessions remain; 0 packs switch it off."""

    type: Literal["set_auto_recharge"]
    below: Annotated[
        int,
        Field(ge=0, le=1_000_000_000, description="Packs are bought when fewer sessions remain, and when none remain."),
    ]
    packs: Annotated[
        int, Field(ge=0, le=1_000_000, description="How many are bought each time; 0: none, switched off.")
    ]


class SetContactsMessage(IssuedMessage, example=_command(contacts=["billing@acme.example"])):
    """Sets who receives alerts from now on."""

    type: Literal["set_contacts"]
    contacts: _Contacts


class CloseAccountMessage(IssuedMessage, example=_command()):
    """Closes the account for good."""

    type: Literal["close_account"]


CommandMessage = Annotated[
    OpenAccountMessage
    | ChangePlanMessage
    | PurchasePacksMessage
    | ReducePacksMessage
    | CancelReductionMessage
    | ChangeBillingCycleMessage
    | CreditSessionsMessage
    | SetThresholdsMessage
    | SetAutoRechargeMessage
    | SetContactsMessage
    | CloseAccountMessage,
    Field(discriminator="type"),
]
