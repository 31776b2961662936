"""The billing calendar: boundaries from an anchor, in months of local wall time (`A4`)."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

from botmeter.domain.prices import DAY_MS

BillingCycle = Literal["monthly", "quarterly", "half_yearly", "annual"]

MONTHS: Final[dict[BillingCycle, int]] = {"monthly": 1, "quarterly": 3, "half_yearly": 6, "annual": 12}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Cycle:
    """The half-open interval `[starts_at, ends_at)` in UTC ms; `number` counts from 1 at the account's opening."""

    number: int
    starts_at: int
    ends_at: int


def is_time_zone(name: str) -> bool:
    """Whether `name` is an IANA time zone of the installed database."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown name, unsafe path, a folder of zones
        return False
    return True


def boundary(anchor: int, time_zone: str, billing_cycle: BillingCycle, n: int) -> int:
    """Returns the n-th boundary from `anchor`, both UTC ms; n may be negative (`A4`).

    A day that a month lacks becomes its last day (31 Jan, 28 Feb, 31 Mar). With `fold=0`, a wall time that does not
    exist moves forward by the gap, and an ambiguous one is the earlier of the two.
    """
    return anchor if n == 0 else _boundary(anchor, time_zone, n * MONTHS[billing_cycle])


@lru_cache(maxsize=65_536)
def _boundary(anchor: int, time_zone: str, months: int) -> int:
    zone = ZoneInfo(time_zone)
    local = (_EPOCH + anchor * _MILLISECOND).astimezone(zone)
    year, month0 = divmod(local.year * 12 + local.month - 1 + months, 12)
    day = min(local.day, monthrange(year, month0 + 1)[1])
    moved = local.replace(year=year, month=month0 + 1, day=day, fold=0)
    return (moved - _EPOCH) // _MILLISECOND


#: Distance from a boundary to a time well inside the cycle that starts there: half of the shortest month.
_WELL_INSIDE_MS: Final = 14 * DAY_MS


def cycle_from(anchor: int, time_zone: str, billing_cycle: BillingCycle, starts_at: int, number: int) -> Cycle:
    """Returns the cycle that starts at the boundary `starts_at` (UTC ms), which was computed earlier (`A4`).

    A newer time zone database may place that boundary some hours earlier or later. The end is therefore computed from
    a time well inside the cycle: otherwise a cycle could be an hour long, and its packs would be charged.
    """
    _, ends_at = boundaries_around(anchor, time_zone, billing_cycle, starts_at + _WELL_INSIDE_MS)
    return Cycle(number, starts_at, ends_at)


def boundaries_around(anchor: int, time_zone: str, billing_cycle: BillingCycle, at: int) -> tuple[int, int]:
    """Returns the last boundary at or before `at` (UTC ms), and the first one after it: the cycle that contains it."""
    zone = ZoneInfo(time_zone)
    local, local_anchor = (
        (_EPOCH + at * _MILLISECOND).astimezone(zone),
        (_EPOCH + anchor * _MILLISECOND).astimezone(zone),
    )
    n = ((local.year - local_anchor.year) * 12 + local.month - local_anchor.month) // MONTHS[billing_cycle]
    while boundary(anchor, time_zone, billing_cycle, n) > at:
        n -= 1
    while boundary(anchor, time_zone, billing_cycle, n + 1) <= at:
        n += 1
    return boundary(anchor, time_zone, billing_cycle, n), boundary(anchor, time_zone, billing_cycle, n + 1)
