"""Moments on the wire: RFC 3339 in UTC with milliseconds and `Z`; inside botmeter they are UTC ms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_ENDINGS: Final = tuple(f".{millisecond:03d}Z" for millisecond in range(1000))


def rfc3339(ms: int) -> str:
    """The moment as the contract writes it, such as `2026-11-23T10:00:00.000Z`.

    Raises OverflowError outside the years 1 to 9999.
    """
    return _up_to_seconds(ms // 1000) + _ENDINGS[ms % 1000]


@lru_cache(maxsize=65_536)  # neighbouring records name the same seconds again and again
def _up_to_seconds(seconds: int) -> str:
    return (_EPOCH + seconds * _SECOND).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


def millis(moment: datetime) -> int:
    """UTC ms of a moment with an offset; parts of a millisecond are dropped, towards the past."""
    since = moment - _EPOCH
    return since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000  # half the time of a division


def is_moment(field: str) -> bool:
    """Whether a field of this name is a moment, UTC ms inside and RFC 3339 on the wire; names tell it without fail."""
    return field in {"at", "anchor"} or field.endswith("_at")
