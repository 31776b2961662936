"""What the messages of all events have in common."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from botmeter.contracts.fields import Count, Id, Moment, Positive
from botmeter.contracts.message_model import AT, Example, WireModel


class CausedByInteraction(WireModel):
    """The record of the interaction."""

    topic: str
    partition: Count
    offset: Count
    event_id: Id


class CausedByCommand(WireModel):
    """The record of the command; `before_offset` is the first interaction not yet taken at that moment."""

    topic: str
    partition: Count
    offset: Count
    command_id: Id
    before_offset: Count


class CausedByTimer(WireModel):
    """The timer that starts due billing cycles; `before_offset` as for commands."""

    timer: Literal["cycle"]
    before_offset: Count


Cause = CausedByInteraction | CausedByCommand | CausedByTimer


class EventMessage(WireModel):
    """What every event carries; its `cause` follows its own fields."""

    type: str
    account_id: Id
    version: Annotated[Positive, Field(description="1, 2, 3, ... in the account's journal, without gaps.")]
    at: Annotated[Moment, Field(description="When it took effect, by the broker's clock.")]


#: Parts of the examples.
BY_INTERACTION: Final = {"topic": "chat.interactions", "partition": 0, "offset": 17, "event_id": "e-1"}
BY_COMMAND: Final = {
    "topic": "billing.commands",
    "partition": 0,
    "offset": 5,
    "command_id": "k-2",
    "before_offset": 18,
}
BY_TIMER: Final = {"timer": "cycle", "before_offset": 18}
CHARGE: Final = {"amount_minor": 20_000, "currency": "USD"}


def event(version: int, cause: Example, **own: Any) -> Example:
    """An example of an event."""
    return {"account_id": "acme", "version": version, "at": AT, **own, "cause": cause}
