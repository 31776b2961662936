"""The forecast of a cycle: from the usage of the last weeks to a band and a time of running out. Pure.

Recent days weigh more than older ones, and weekdays are told apart once two weeks are known. The band covers four of
five cases if days continue to vary as they did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from math import sqrt
from typing import Final
from zoneinfo import ZoneInfo

from botmeter.readside.local_time import DAY_MS, HOUR_MS, local, millis
from botmeter.readside.results import BandPoint, Forecast

#: A day counts half of one that is a week younger.
_HALF_LIFE_DAYS: Final = 7.0
#: From this many days on, weekdays are told apart.
_WEEKDAYS_FROM_DAYS: Final = 14.0
#: How much a weekday is believed to be like every other, in days of evidence.
_PRIOR_DAYS: Final = 1.0
#: The 90 % quantile of a normal distribution: four of five cases lie between it and its negative.
_QUANTILE: Final = 1.2816
#: With less usage than this there is no forecast.
_LEAST_BASIS_DAYS: Final = HOUR_MS / DAY_MS


@dataclass(frozen=True, slots=True)
class DayOfUsage:
    """Sessions in a span of at most one day, `[starts_at, ends_at)` in UTC ms."""

    starts_at: int
    ends_at: int
    sessions: int

    @property
    def days(self) -> float:
        """Its length in days; less than 1 for today, or the account's first day."""
        return (self.ends_at - self.starts_at) / DAY_MS


@dataclass(frozen=True, slots=True)
class _Pace:
    """Sessions a day: mean, variance from day to day, variance of the mean itself, and the factor of each weekday."""

    mean: float
    variance: float
    mean_variance: float
    weekdays: tuple[float, ...]


def forecast(now: int, horizon_at: int, remaining: int, usage: Sequence[DayOfUsage], time_zone: str) -> Forecast | None:
    """How many sessions will remain until `horizon_at` (UTC ms), and when none will.

    Args:
        now: UTC ms; usage is known up to it.
        horizon_at: the end of the forecast, such as the end of the cycle.
        remaining: sessions left now.
        usage: days before `now`, oldest first, today's part last.
        time_zone: of the account; its days differ by weekday.

    Returns:
        None without an hour of evidence.
    """
    known = [day for day in usage if day.ends_at > day.starts_at]
    basis_days = sum(day.days for day in known)
    if basis_days < _LEAST_BASIS_DAYS:
        return None
    zone = ZoneInfo(time_zone)
    pace = _pace(now, known, basis_days, zone)
    points, crossings = [BandPoint(now, remaining, remaining, remaining)], _Crossings(remaining)
    spent = elapsed = spread = 0.0
    for start, end in _days_until(horizon_at, now, zone):
        days = (end - start) / DAY_MS
        factor = pace.weekdays[local(start, zone).weekday()]
        spent += pace.mean * factor * days
        spread += pace.variance * factor * days
        elapsed += days
        margin = _QUANTILE * sqrt(spread + pace.mean_variance * elapsed**2)
        crossings.add_day(start, end, spent, margin)
        points.append(_point(end, remaining, spent, spread, pace.mean_variance, elapsed))
    return Forecast(
        pace_per_day=pace.mean,
        basis_days=basis_days,
        horizon_at=horizon_at,
        points=tuple(points),
        runs_out_at=crossings.expected,
        earliest_at=crossings.earliest,
        latest_at=crossings.latest,
        left_at_horizon=points[-1].expected,
    )


class _Crossings:
    """When the expected use, and the upper and lower ends of the band, reach the remaining sessions."""

    def __init__(self, remaining: int) -> None:
        self._remaining = remaining
        self._before = (0.0, 0.0, 0.0)
        self.earliest: int | None = None
        self.expected: int | None = None
        self.latest: int | None = None

    def add_day(self, start: int, end: int, spent: float, margin: float) -> None:
        """Adds a day `[start, end)`; `spent` is the expected use up to its end, `margin` the half width of the band."""
        high, low = spent + margin, max(spent - margin, self._before[2])
        self.earliest = self._crossed(self.earliest, start, end, self._before[0], high)
        self.expected = self._crossed(self.expected, start, end, self._before[1], spent)
        self.latest = self._crossed(self.latest, start, end, self._before[2], low)
        self._before = (high, spent, low)

    def _crossed(self, known: int | None, start: int, end: int, before: float, after: float) -> int | None:
        if known is not None or after < self._remaining or after <= 0:
            return known
        part = (self._remaining - before) / (after - before) if after > before else 1.0
        return start + int(max(min(part, 1.0), 0.0) * (end - start))


def _point(at: int, remaining: int, spent: float, spread: float, mean_variance: float, elapsed: float) -> BandPoint:
    margin = _QUANTILE * sqrt(spread + mean_variance * elapsed**2)

    def left(used: float) -> int:
        return min(max(round(remaining - used), 0), remaining)

    return BandPoint(at, left(spent), left(spent + margin), left(spent - margin))


def _pace(now: int, usage: Sequence[DayOfUsage], basis_days: float, zone: ZoneInfo) -> _Pace:
    weights = [0.5 ** ((now - day.ends_at) / DAY_MS / _HALF_LIFE_DAYS) * day.days for day in usage]
    total = sum(weights)
    mean = sum(w / day.days * day.sessions for w, day in zip(weights, usage, strict=True)) / total
    weekdays = _weekdays(usage, mean, zone) if basis_days >= _WEEKDAYS_FROM_DAYS and mean > 0 else (1.0,) * 7
    evidence = total**2 / sum(w * w / day.days for w, day in zip(weights, usage, strict=True))
    deviations = (
        w * day.days * (day.sessions / day.days - mean * weekdays[local(day.starts_at, zone).weekday()]) ** 2
        for w, day in zip(weights, usage, strict=True)
    )
    # At least the variance of pure chance (Poisson); one day's evidence must not divide by 0.
    variance = max(sum(deviations) / total * (evidence / max(evidence - 1, 0.5)), mean)
    return _Pace(mean, variance, variance / evidence, weekdays)


def _weekdays(usage: Sequence[DayOfUsage], mean: float, zone: ZoneInfo) -> tuple[float, ...]:
    """Each weekday's usage as a factor of the mean, drawn towards 1; on average over a week they are 1."""
    sessions, days = [0.0] * 7, [0.0] * 7
    for day in usage:
        weekday = local(day.starts_at, zone).weekday()
        sessions[weekday] += day.sessions
        days[weekday] += day.days
    plain = sum(sessions) / sum(days)
    factors = [(s + _PRIOR_DAYS * plain) / (d + _PRIOR_DAYS) / plain for s, d in zip(sessions, days, strict=True)]
    scale = 7 / sum(factors) if mean else 1.0
    return tuple(factor * scale for factor in factors)


def _days_until(horizon_at: int, now: int, zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    """The rest of today, and the local days after it, up to the horizon."""
    today = local(now, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    start = now
    for n in count(1):
        end = min(millis(today + timedelta(days=n)), horizon_at)
        if start < end:
            yield start, end
            start = end
        if end >= horizon_at:
            return
