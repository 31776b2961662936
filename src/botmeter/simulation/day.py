"""The daily curve: how busy an account is at an hour of its own day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

_HOURLY: Final = (
    *(3, 2, 2, 2, 2, 3, 6, 12, 20, 26, 28, 27),
    *(22, 24, 27, 27, 25, 22, 18, 16, 14, 11, 8, 5),
)
_MEAN: Final = sum(_HOURLY) / len(_HOURLY)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def busyness(hour: float) -> float:
    """Returns the traffic at this hour of the day, 0 to 24, relative to the day's mean."""
    before = int(hour)
    rest = hour - before
    return (_HOURLY[before % 24] * (1 - rest) + _HOURLY[(before + 1) % 24] * rest) / _MEAN


@lru_cache(maxsize=4096)  # accounts share time zones, and moments come in steps
def hour_of_day(moment_ms: int, time_zone: str) -> float:
    """Returns the local hour, 0 to 24, of a moment (UTC ms) in the time zone."""
    local = (_EPOCH + timedelta(milliseconds=moment_ms)).astimezone(ZoneInfo(time_zone))
    return local.hour + local.minute / 60
