"""From the value of a record of an output topic to the contract's model of it."""

from __future__ import annotations

from typing import Annotated, Final, Generic, TypeVar

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from botmeter.contracts import outputs
from botmeter.contracts.decoding import explained

M = TypeVar("M")

Result = outputs.Accepted | outputs.Rejected
Alert = outputs.ThresholdReachedAlert | outputs.SessionsExhaustedAlert
Handoff = outputs.ChatHandedOffMessage | outputs.BotSuspended | outputs.BotResumed
Balance = outputs.Balance

#: What pydantic calls a `type` that is none of the union's.
_UNKNOWN_TYPE: Final = "union_tag_invalid"


class Decoder(Generic[M]):
    """Reads the messages of one topic."""

    def __init__(self, adapter: TypeAdapter[M]) -> None:
        self._adapter = adapter

    def decode(self, value: bytes | None) -> M | None:
        """The message, or None when its `type` is one that a later botmeter added.

        Raises ValueError, with a line for a person, when it is not what the contract says.
        """
        try:
            return self._adapter.validate_json(value or b"")
        except ValidationError as error:
            faults: list[ErrorDetails] = error.errors(include_url=False, include_input=False)
            if any(fault["type"] == _UNKNOWN_TYPE for fault in faults):
                return None
            raise ValueError(explained(error)) from None


RESULTS: Final[Decoder[Result]] = Decoder(TypeAdapter(Annotated[Result, Field(discriminator="type")]))
ALERTS: Final[Decoder[Alert]] = Decoder(TypeAdapter(Annotated[Alert, Field(discriminator="type")]))
HANDOFFS: Final[Decoder[Handoff]] = Decoder(TypeAdapter(Annotated[Handoff, Field(discriminator="type")]))
BALANCES: Final[Decoder[Balance]] = Decoder(TypeAdapter(Balance))
