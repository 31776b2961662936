"""Cursors: where a list is to be read on, as an opaque text that holds the sort key of its last row."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

_encode: Final = msgspec.json.Encoder().encode


def encode_cursor(question: str, *key: int | str) -> str:
    """The cursor after the row with this sort key."""
    return base64.urlsafe_b64encode(_encode([question, *key])).decode().rstrip("=")


def decode_cursor(question: str, cursor: str, *types: type[int | str]) -> list[int | str]:
    """The sort key in a cursor of the same question. Raises ValueError for any other text."""
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        found = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=list[int | str])
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise ValueError("not a cursor") from error
    if len(found) != len(types) + 1 or found[0] != question:
        raise ValueError("not a cursor of this list")
    if any(type(value) is not wanted for value, wanted in zip(found[1:], types, strict=True)):
        raise ValueError("not a cursor of this list")
    if any(isinstance(value, int) and abs(value) >= 2**63 for value in found[1:]):
        raise ValueError("not a cursor of this list")
    return found[1:]
