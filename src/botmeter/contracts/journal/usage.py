"""Sessions, and what comes of their use: thresholds, exhaustion, handoffs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from botmeter.contracts.fields import Count, Id, Moment, Percent, Positive
from botmeter.contracts.journal.event import BY_COMMAND, BY_INTERACTION, Cause, EventMessage, event
from botmeter.contracts.message_model import AT, CYCLE_ENDS
from botmeter.domain.events import AvailableReason, ExhaustionReason, Pool
from botmeter.domain.sessions import Widget


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


class SessionsAvailable(
    EventMessage, example=event(451, BY_COMMAND, reason="packs_purchased", used=2000, total=3000, remaining=1000)
):
    """An exhausted account has sessions again."""

    type: Literal["sessions_available"]
    reason: AvailableReason
    used: Count
    total: Positive
    remaining: Positive
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
    ),
):
    """A conversation goes to the agents."""

    type: Literal["chat_handed_off"]
    handoff_id: str
    conversation_id: Id
    end_user_id: Id
    bot_id: Id
    reason: ExhaustionReason
    cause: Cause
