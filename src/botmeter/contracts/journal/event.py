"""The fields that the messages of all events share."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from botmeter.contracts import described
from botmeter.contracts.fields import Count, Id
from botmeter.contracts.message_model import AT, Example, WireModel

_Topic = Annotated[str, Field(description="The topic of the record.")]
_Partition = Annotated[Count, Field(description="The partition of the record; the journal's is the same.")]
_Offset = Annotated[Count, Field(description="The offset of the record.")]
_BeforeOffset = Annotated[
    Count,
    Field(
        description="The offset of the partition's first interaction that was not processed yet at that moment. So "
        "inputs and journal give one order of all decisions."
    ),
]


class CausedByInteraction(WireModel):
    """The record of the interaction that caused the event."""

    topic: _Topic
    partition: _Partition
    offset: _Offset
    event_id: Annotated[Id, Field(description="The interaction, as the chat platform named it.")]


class CausedByCommand(WireModel):
    """The record of the command that caused the event."""

    topic: _Topic
    partition: _Partition
    offset: _Offset
    command_id: described.CommandId
    before_offset: _BeforeOffset


class CausedByTimer(WireModel):
    """The timer, which starts billing cycles that are due when no record does."""

    timer: Annotated[Literal["cycle"], Field(description="Which timer; there is one.")]
    before_offset: _BeforeOffset


Cause = Annotated[
    CausedByInteraction | CausedByCommand | CausedByTimer,
    Field(description="What caused the event: the record of an interaction or of a command, or the timer."),
]


class EventMessage(WireModel):
    """The fields of every event; its `cause` follows its own fields."""

    type: str
    account_id: described.AccountId
    version: Annotated[
        described.Version,
        Field(
            description="1, 2, 3, ... in the account's journal, without gaps. It orders the messages of an account "
            "across all topics."
        ),
    ]
    at: Annotated[
        described.At,
        Field(description="When it took effect, UTC: the broker's time of its cause, or the start of a billing cycle."),
    ]


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
    """Returns an example of an event."""
    return {"account_id": "acme", "version": version, "at": AT, **own, "cause": cause}
