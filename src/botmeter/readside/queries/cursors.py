"""Cursors: an opaque text that holds the sort key of a page's last row, from which the next page continues."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

_encode: Final = msgspec.json.Encoder().encode


def encode_cursor(query: str, *key: int | str) -> str:
    """The cursor after the row with this sort key."""
    return base64.urlsafe_b64encode(_encode([query, *key])).decode().rstrip("=")


def decode_cursor(query: str, cursor: str, *types: type[int | str]) -> list[int | str]:
    """Returns the sort key in a cursor of the same query. Raises ValueError for any other text."""
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        decoded = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=list[int | str])
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise ValueError("not a cursor") from error
    if len(decoded) != len(types) + 1 or decoded[0] != query:
        raise ValueError("not a cursor of this list")
    if any(type(value) is not expected for value, expected in zip(decoded[1:], types, strict=True)):
        raise ValueError("not a cursor of this list")
    if any(isinstance(value, int) and abs(value) >= 2**63 for value in decoded[1:]):
        raise ValueError("not a cursor of this list")
    return decoded[1:]
