"""The known session starts of one window, packed into one integer: small, and untracked by the garbage collector.

Millions of these are in memory and in the store. Each start takes 50 bits, counted from long before any possible time
so that none is 0 or negative; the newest takes the lowest bits. 0 is a window without a known start.
"""

from __future__ import annotations

from typing import Final

from botmeter.domain.prices import DAY_MS
from botmeter.domain.sessions import Starts

#: (account, end-user, live|preview) as one key: `account_id NUL l|p end_user_id`; ids hold no control characters.
WindowKey = bytes
#: (account, conversation) as one key: `account_id NUL conversation_id`.
ChatKey = bytes
#: The starts of one window, packed into one integer.
PackedStarts = int

BITS: Final = 50
NEWEST: Final = (1 << BITS) - 1
#: Added to a start, UTC ms: the year 1 lies above -2**46.
BIAS: Final = 1 << 46
#: `LOWEST_COVERED < occurred_at - (packed & NEWEST) < HIGHEST_COVERED`: the newest start covers the interaction (`S5`).
LOWEST_COVERED: Final = -DAY_MS - BIAS
HIGHEST_COVERED: Final = DAY_MS - BIAS


def live_prefix(account_id: str) -> bytes:
    """Returns the prefix of the keys of an account's live windows; the end-user's id follows."""
    return f"{account_id}\0l".encode()


def preview_prefix(account_id: str) -> bytes:
    """Returns the prefix of the keys of an account's preview windows; the end-user's id follows."""
    return f"{account_id}\0p".encode()


def window_key(account_id: str, end_user_id: str, preview: bool) -> WindowKey:  # noqa: FBT001 - part of the key
    """Returns the key of a window (`S2`)."""
    return (preview_prefix if preview else live_prefix)(account_id) + end_user_id.encode()


def chat_key(account_id: str, conversation_id: str) -> ChatKey:
    """Returns the key of a chat."""
    return f"{account_id}\0{conversation_id}".encode()


def pack(starts: Starts) -> PackedStarts:
    """Packs the starts, ascending, into one integer."""
    packed = 0
    for start in starts:
        packed = packed << BITS | start + BIAS
    return packed


def unpack(packed: PackedStarts) -> Starts:
    """Reverses `pack`."""
    starts: list[int] = []
    while packed:
        starts.append((packed & NEWEST) - BIAS)
        packed >>= BITS
    return tuple(reversed(starts))


def covers(packed: PackedStarts, occurred_at: int) -> bool:
    """Whether some known start lies less than 24 h from `occurred_at` (`S5`): `is_covered` for packed starts."""
    while packed:
        if LOWEST_COVERED < occurred_at - (packed & NEWEST) < HIGHEST_COVERED:
            return True
        packed >>= BITS
    return False
