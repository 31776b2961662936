"""Hours and days of an account's own time, as moments in UTC ms: a day has 23, 24 or 25 hours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

Bucket = Literal["hour", "day"]

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
#: Clocks are changed at full quarters of an hour, everywhere.
_QUARTER_MS: Final = 900_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def local(at: int, zone: ZoneInfo) -> datetime:
    """The wall clock in `zone` at the moment `at` (UTC ms)."""
    return (_EPOCH + at * _MILLISECOND).astimezone(zone)


def millis(moment: datetime) -> int:
    """UTC ms of an aware datetime."""
    return (moment - _EPOCH) // _MILLISECOND


def hour_and_day(at: int, time_zone: str) -> tuple[int, int]:
    """The starts (UTC ms) of the local hour and the local day that contain the moment `at` (UTC ms)."""
    return _hour_and_day(at // _QUARTER_MS * _QUARTER_MS, time_zone)


@lru_cache(maxsize=262_144)  # two days of quarters in every zone there is, and more
def _hour_and_day(quarter: int, time_zone: str) -> tuple[int, int]:
    zone = ZoneInfo(time_zone)
    here = local(quarter, zone)
    return quarter - here.minute * 60_000, _midnight(here, zone)


def _midnight(here: datetime, zone: ZoneInfo) -> int:
    """The start of a local day; where the clock jumps over midnight, the moment of the jump."""
    return millis(datetime(here.year, here.month, here.day, tzinfo=zone))


def starts(since: int, until: int, time_zone: str, bucket: Bucket) -> Iterator[int]:
    """The start of every local hour or day that overlaps `[since, until)`, ascending, and the end of the last one."""
    at = _start(since, time_zone, bucket)
    while at < until:
        yield at
        at = _next(at, time_zone, bucket)
    yield at


def _start(at: int, time_zone: str, bucket: Bucket) -> int:
    hour, day = hour_and_day(at, time_zone)
    return hour if bucket == "hour" else day


def _next(start: int, time_zone: str, bucket: Bucket) -> int:
    if bucket == "hour":
        return hour_and_day(start + HOUR_MS, time_zone)[0]
    zone = ZoneInfo(time_zone)
    here = local(start, zone)
    noon = datetime(here.year, here.month, here.day, 12, tzinfo=zone) + timedelta(days=1)
    return _midnight(noon, zone)
