"""From the value of a record of an output topic to the message in it, as the contract's catalogue reads it.

Moments in messages are UTC ms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from botmeter.contracts.catalogue import Channel
from botmeter.contracts.codec import type_in
from botmeter.domain.announcements import Accepted, Alert, Balance, Handoff, Rejected

__all__ = ["Accepted", "Alert", "Balance", "Decode", "Handoff", "Rejected", "Result", "decode"]

M = TypeVar("M")
Result = Accepted | Rejected
Decode = Callable[[bytes | None], M]


def decode(channel: Channel[Any, Decode[M]], value: bytes | None) -> M | None:
    """The message, or None when its `type` is one that a later botmeter added.

    Raises ValueError, with a line for a person, when it is not what the contract says.
    """
    try:
        return channel.decode(value)
    except ValueError:
        if type_in(value) not in {message.type for message in channel.messages}:
            return None
        raise
