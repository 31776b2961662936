"""Moments: RFC 3339 in UTC with milliseconds and `Z` on the wire, UTC ms in the program."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_ENDINGS: Final = tuple(f".{millisecond:03d}Z" for millisecond in range(1000))


def rfc3339(ms: int) -> str:
    """Returns the moment as the contract writes it, such as `2026-11-23T10:00:00.000Z`.

    Raises OverflowError outside the years 1 to 9999.
    """
    return _up_to_seconds(ms // 1000) + _ENDINGS[ms % 1000]


@lru_cache(maxsize=65_536)  # neighbouring records share the same seconds
def _up_to_seconds(seconds: int) -> str:
    return (_EPOCH + seconds * _SECOND).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


def millis(moment: datetime) -> int:
    """Returns UTC ms of a moment with an offset, rounded down to the millisecond."""
    since = moment - _EPOCH
    return (
        since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000
    )  # takes half the time of a division


def is_moment(field: str) -> bool:
    """Returns whether a field of this name is a moment, UTC ms inside and RFC 3339 on the wire."""
    return field in {"at", "anchor"} or field.endswith("_at")
