"""Sessions and the consequences of usage: thresholds, exhaustion, handoffs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from botmeter.contracts import described
from botmeter.contracts.fields import Moment, Percent, Positive
from botmeter.contracts.journal.event import BY_COMMAND, BY_INTERACTION, Cause, EventMessage, event
from botmeter.contracts.message_model import AT, CYCLE_ENDS


class SessionStarted(
    EventMessage,
    example=event(
        41,
        BY_INTERACTION,
        session_id="3f0c9d1e5b7a48826c4d0e9f1a2b3c4d",
        end_user_id="u-1",
        preview=False,
        started_at=AT,
        ends_at="2026-11-24T10:00:00.000Z",
        cycle_number=3,
        pool="purchased",
        used=1600,
        bot_id="b-1",
        conversation_id="c-1",
        widget="conversations",
    ),
):
    """A charged bot session, from `started_at` up to but not including `ends_at`; `used` counts it."""

    type: Literal["session_started"]
    session_id: Annotated[
        str,
        Field(
            pattern="^[0-9a-f]{32}$",
            description="Identifies the session: the same account, end-user, preview and start give the same id.",
        ),
    ]
    end_user_id: described.EndUserId
    preview: Annotated[bool, Field(description="Whether it is a trial of a bot; previews have sessions of their own.")]
    started_at: Annotated[
        Moment, Field(description="When the first interaction occurred, UTC: the session lasts 24 hours from then.")
    ]
    ends_at: Annotated[Moment, Field(description="24 hours later, UTC; that moment does not belong to the session.")]
    cycle_number: Annotated[
        described.CycleNumber,
        Field(description="The billing cycle that counts it: the present one, or the previous one if it arrived late."),
    ]
    pool: described.Pool
    used: Annotated[Positive, Field(description="Sessions of that cycle or pool that are used, including this one.")]
    bot_id: described.BotId
    conversation_id: described.ConversationId
    widget: described.Widget
    cause: Cause


class ThresholdReached(
    EventMessage,
    example=event(
        42,
        BY_INTERACTION,
        percent=80,
        used=1600,
        total=2000,
        remaining=400,
        pool="purchased",
        cycle_number=3,
        cycle_ends_at=CYCLE_ENDS,
    ),
):
    """Usage reached `percent` of the total by the session that just started."""

    type: Literal["threshold_reached"]
    percent: Annotated[Percent, Field(description="The threshold that was reached.")]
    used: described.Used
    total: Annotated[described.Total, Field(ge=1)]
    remaining: described.Remaining
    pool: described.Pool
    cycle_number: described.CycleNumber
    cycle_ends_at: described.CycleEndsAt
    cause: Cause


class SessionsExhausted(
    EventMessage,
    example=event(
        443,
        BY_INTERACTION,
        reason="sessions_exhausted",
        used=2000,
        total=2000,
        remaining=0,
        pool="purchased",
        cycle_number=3,
        cycle_ends_at=CYCLE_ENDS,
    ),
):
    """The account has no session left: all are used, or it has none."""

    type: Literal["sessions_exhausted"]
    reason: described.ExhaustionReason
    used: described.Used
    total: described.Total
    remaining: described.Remaining
    pool: described.Pool
    cycle_number: described.CycleNumber
    cycle_ends_at: described.CycleEndsAt
    cause: Cause


class SessionsAvailable(
    EventMessage, example=event(451, BY_COMMAND, reason="packs_purchased", used=2000, total=3000, remaining=1000)
):
    """An exhausted account has sessions again."""

    type: Literal["sessions_available"]
    reason: described.AvailableReason
    used: described.Used
    total: Annotated[described.Total, Field(ge=1)]
    remaining: Annotated[described.Remaining, Field(ge=1)]
    cause: Cause


class ChatHandedOff(
    EventMessage,
    example=event(
        444,
        BY_INTERACTION,
        handoff_id="acme/444",
        conversation_id="c-9",
        end_user_id="u-7",
        bot_id="b-1",
        reason="sessions_exhausted",
        widget="conversations",
        occurred_at=AT,
    ),
):
    """A conversation goes to the agents."""

    type: Literal["chat_handed_off"]
    handoff_id: Annotated[str, Field(description="Identifies the handoff.")]
    conversation_id: described.ConversationId
    end_user_id: described.EndUserId
    bot_id: described.BotId
    reason: described.ExhaustionReason
    widget: Annotated[
        described.Widget,
        Field(description="Where the chat takes place. Missing: conversations, in events older than release 0.2.0."),
    ] = "conversations"
    occurred_at: Annotated[
        Moment | None,
        Field(description="When the interaction occurred, UTC. null: not known, in events older than release 0.2.0."),
    ] = None
    cause: Cause
