"""Handoffs: chats that go to the agents, and bots that are suspended or resumed."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from botmeter.contracts import described
from botmeter.contracts.fields import Moment
from botmeter.contracts.message_model import AT, WireModel, since
from botmeter.domain.announcements import SuspensionReason
from botmeter.domain.events import AvailableReason
from botmeter.domain.sessions import Widget

_NAMES: Final = "Identifies the handoff: the same handoff written again has the same id."


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
        "widget": "conversations",
        "occurred_at": AT,
    },
):
    """This conversation goes to the agents and stays with them; reported once, and again only after 24 hours."""

    type: Literal["chat_handed_off"]
    handoff_id: Annotated[str, Field(description=_NAMES)]
    account_id: described.AccountId
    version: described.Version
    at: described.At
    conversation_id: described.ConversationId
    end_user_id: described.EndUserId
    bot_id: described.BotId
    reason: described.ExhaustionReason
    widget: Annotated[
        Widget, since("0.2.0", "Where the chat takes place; chats in self_service are never handed off.")
    ] = "conversations"
    occurred_at: Annotated[
        Moment | None, since("0.2.0", "When the interaction occurred that could not be served, UTC, by the platform.")
    ] = None


class BotSuspended(
    WireModel,
    example={
        "account_id": "acme",
        "version": 443,
        "at": AT,
        "reason": "sessions_exhausted",
        "conversations": "transfer_to_agents",
        "self_service": "stopped",
        "handoff_id": "acme/443",
    },
):
    """The account's bots are suspended: new chats go to the agents, self-service widgets stop."""

    type: Literal["bot_suspended"]
    account_id: described.AccountId
    version: described.Version
    at: described.At
    reason: Annotated[
        SuspensionReason,
        Field(
            description="sessions_exhausted: all are used. no_sessions: the account has none. account_closed: the "
            "account is closed for good."
        ),
    ]
    conversations: Annotated[
        Literal["transfer_to_agents"], Field(description="What to do with new chats in the conversations widget.")
    ]
    self_service: Annotated[Literal["stopped"], Field(description="What to do with the self-service widget.")]
    handoff_id: Annotated[str | None, since("0.2.0", _NAMES)] = None


class BotResumed(
    WireModel,
    example={"account_id": "acme", "version": 451, "at": AT, "reason": "packs_purchased", "handoff_id": "acme/451"},
):
    """The account's bots are resumed. Chats that were handed off stay with the agents."""

    type: Literal["bot_resumed"]
    account_id: described.AccountId
    version: described.Version
    at: described.At
    reason: Annotated[AvailableReason, Field(description="Why the account has sessions again.")]
    handoff_id: Annotated[str | None, since("0.2.0", _NAMES)] = None
