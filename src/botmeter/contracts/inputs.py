"""The messages botmeter reads: interactions and commands. Strict types; fields it does not know are ignored.

These models are the contract: schemas and error messages come from them, and so do the types and limits of the hot
decoder (`derivation.py`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from botmeter.domain.commands import Plan
from botmeter.domain.cycles import BillingCycle, is_time_zone
from botmeter.domain.sessions import Actor, Widget

ID_CHARACTERS_MAX: Final = 256
CONTACT_CHARACTERS_MAX: Final = 320  # the longest e-mail address
#: Unicode's control characters (Cc).
CONTROL_CHARACTER: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
#: The same as a schema says it.
_NO_CONTROL_CHARACTER: Final = "^[^\\u0000-\\u001F\\u007F-\\u009F]+$"


def _without_control_characters(text: str) -> str:
    if CONTROL_CHARACTER.search(text):
        raise PydanticCustomError("control_character", "String should have no control characters")
    return text


def _instant(text: object) -> datetime:
    """The moment, read exactly as the hot decoder reads it."""
    if not isinstance(text, str):
        raise PydanticCustomError("instant_type", "Input should be an RFC 3339 timestamp in a string")
    try:
        moment: datetime = msgspec.convert(text, Annotated[datetime, msgspec.Meta(tz=True)])
        moment.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError) as error:
        raise PydanticCustomError(
            "instant", "Input should be an RFC 3339 timestamp with an offset, such as 2026-11-23T10:00:00.000Z"
        ) from error
    return moment


def _anchor(moment: datetime) -> datetime:
    """The calendar (`A4`) is reckoned from here, so a slip of the pen must not pass for a date."""
    if not 1970 <= moment.astimezone(UTC).year <= 2199:
        raise PydanticCustomError("anchor_range", "The anchor should lie in the years 1970 to 2199")
    return moment


def _time_zone(name: str) -> str:
    if not is_time_zone(name):
        raise PydanticCustomError("time_zone", "Input should be an IANA time zone, such as America/New_York")
    return name


def _ascending(percents: list[int]) -> list[int]:
    return sorted(set(percents))


def _text_schema(characters_max: int) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": characters_max, "pattern": _NO_CONTROL_CHARACTER}
    )


Id = Annotated[
    str,
    Field(min_length=1, max_length=ID_CHARACTERS_MAX),
    AfterValidator(_without_control_characters),
    _text_schema(ID_CHARACTERS_MAX),
]
Contact = Annotated[
    str,
    Field(min_length=1, max_length=CONTACT_CHARACTERS_MAX),
    AfterValidator(_without_control_characters),
    _text_schema(CONTACT_CHARACTERS_MAX),
]
Contacts = Annotated[list[Contact], Field(max_length=50)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Anchor = Annotated[Instant, AfterValidator(_anchor)]
TimeZone = Annotated[str, Field(max_length=ID_CHARACTERS_MAX), AfterValidator(_time_zone)]
Percents = Annotated[list[Annotated[int, Field(ge=1, le=99)]], Field(max_length=99), AfterValidator(_ascending)]
Packs = Annotated[int, Field(ge=1, le=1_000_000)]
Sessions = Annotated[int, Field(ge=1, le=1_000_000_000)]


class _Input(BaseModel):
    #: Built when first used: most starts never see a bad record.
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, defer_build=True)


class InteractionMessage(_Input):
    """One message or click of an end-user, a bot, an agent or the system, as the chat platform publishes it."""

    event_id: Annotated[Id, Field(description="Names the interaction; the same again changes nothing.")]
    account_id: Annotated[Id, Field(description="The account, and the record's key.")]
    end_user_id: Annotated[Id, Field(description="Whose session it opens or joins.")]
    bot_id: Annotated[Id | None, Field(description="The bot that is talked to; null when there is none.")] = None
    conversation_id: Annotated[Id, Field(description="The chat that is handed to agents when no session is left.")]
    widget: Annotated[Widget, Field(description="Where the chat takes place.")]
    actor: Annotated[Actor, Field(description="Who acted; only an end-user opens or joins a session.")]
    preview: Annotated[bool, Field(description="Whether a bot is tried out; previews have sessions of their own.")] = (
        False
    )
    occurred_at: Annotated[Instant, Field(description="When it happened, RFC 3339 with any offset.")]


class CommandAddress(_Input):
    """What a command must have to be answered at all."""

    command_id: Annotated[Id, Field(description="Unique in the account; the same again gives the same result.")]
    account_id: Annotated[Id, Field(description="The account, and the record's key.")]


class IssuedMessage(CommandAddress):
    """What every command has beside its `type`."""

    issued_by: Annotated[Id, Field(description="Who asks, for the audit.")]


class OpenAccountMessage(IssuedMessage):
    """Opens an account."""

    type: Literal["open_account"]
    plan: Plan
    billing_cycle: BillingCycle
    anchor: Annotated[
        Anchor | None, Field(description="Where billing cycles are counted from; default: the record's timestamp.")
    ] = None
    time_zone: Annotated[TimeZone, Field(description="IANA time zone of the billing cycles.")] = "UTC"
    contacts: Annotated[Contacts, Field(description="Who is told of alerts.")] = []


class ChangePlanMessage(IssuedMessage):
    """Moves the account to another plan."""

    type: Literal["change_plan"]
    plan: Plan


class PurchasePacksMessage(IssuedMessage):
    """Adds packs to this billing cycle at once, and to every following one."""

    type: Literal["purchase_packs"]
    packs: Packs


class ReducePacksMessage(IssuedMessage):
    """Takes packs away from the next billing cycle on."""

    type: Literal["reduce_packs"]
    packs: Packs


class CancelReductionMessage(IssuedMessage):
    """Takes back a reduction that has not taken effect yet."""

    type: Literal["cancel_reduction"]


class ChangeBillingCycleMessage(IssuedMessage):
    """Another length of the billing cycle, from the next boundary on."""

    type: Literal["change_billing_cycle"]
    billing_cycle: BillingCycle


class CreditSessionsMessage(IssuedMessage):
    """A goodwill credit to the current pool."""

    type: Literal["credit_sessions"]
    sessions: Sessions
    reason: Annotated[str, Field(max_length=1000)]


class SetThresholdsMessage(IssuedMessage):
    """The percentages of usage to warn at; order and repetition do not matter."""

    type: Literal["set_thresholds"]
    percents: Percents


class SetAutoRechargeMessage(IssuedMessage):
    """Buys `packs` whenever fewer than `below` sessions remain; 0 packs switch it off."""

    type: Literal["set_auto_recharge"]
    below: Annotated[int, Field(ge=0, le=1_000_000_000)]
    packs: Annotated[int, Field(ge=0, le=1_000_000)]


class SetContactsMessage(IssuedMessage):
    """Who is told of alerts from now on."""

    type: Literal["set_contacts"]
    contacts: Contacts


class CloseAccountMessage(IssuedMessage):
    """Ends the account for good."""

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
