"""Decodes the records of output topics by the contract's catalogue.

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
    """The message, or None when its `type` was added by a later botmeter.

    Raises ValueError with a readable message when the value violates the contract.
    """
    try:
        return channel.decode(value)
    except ValueError:
        if type_in(value) not in {message.type for message in channel.messages}:
            return None
        raise
