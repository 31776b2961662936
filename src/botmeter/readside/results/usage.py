"""Usage over time, the burn-down of a cycle, and its forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from botmeter.readside.results.origin import CycleSpan, JournalPlace, Money

Bucket = Literal["hour", "day"]
UsageBy = Literal["widget", "bot", "mode"]
StepKind = Literal["opened", "granted", "purchased", "recharged", "credited", "forfeited", "renewed", "expired"]


@dataclass(frozen=True, slots=True)
class UsageBucket:
    """Sessions that started in one hour or day of the account's own time; `parts` follows the series' `keys`."""

    starts_at: int
    ends_at: int
    sessions: int
    cumulative: int
    parts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UsageSeries:
    """Every bucket of a span, empty ones too. Without `by`, `keys` is empty."""

    time_zone: str
    bucket: Bucket
    by: UsageBy | None
    keys: tuple[str, ...]
    buckets: tuple[UsageBucket, ...]
    total: int


@dataclass(frozen=True, slots=True)
class RemainingPoint:
    """Sessions that remain at a moment."""

    at: int
    remaining: int


@dataclass(frozen=True, slots=True)
class BandPoint:
    """What will likely remain at a moment: between `low` and `high`, most likely `expected`."""

    at: int
    expected: int
    low: int
    high: int


#: Days of usage that a forecast must rest on before a date is shown.
FOUNDED_DAYS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Forecast:
    """How the cycle will likely continue at the recent pace. Moments are None if the sessions last past the horizon.

    `basis_days` is how many days of usage it rests on.
    """

    pace_per_day: float
    basis_days: float
    horizon_at: int
    points: tuple[BandPoint, ...]
    runs_out_at: int | None
    earliest_at: int | None
    latest_at: int | None
    #: What will likely be left at the horizon; 0 when they run out before.
    left_at_horizon: int

    @property
    def is_founded(self) -> bool:
        """Whether there is enough usage to show a date: with less, the date would be a guess."""
        return self.basis_days >= FOUNDED_DAYS and self.pace_per_day > 0


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the pool other than by a session; `sessions` is the signed number it moved."""

    at: int
    kind: StepKind
    sessions: int
    remaining: int
    packs: int
    charge: Money | None
    issued_by: str | None
    place: JournalPlace


@dataclass(frozen=True, slots=True)
class ThresholdLine:
    """A threshold as a level of remaining sessions, by the present total."""

    percent: int
    remaining: int
    reached_at: int | None


@dataclass(frozen=True, slots=True)
class BurnDown:
    """A cycle's remaining sessions over time: `points` with a jump (two points of one moment) at every step."""

    cycle: CycleSpan
    is_current: bool
    points: tuple[RemainingPoint, ...]
    steps: tuple[Step, ...]
    thresholds: tuple[ThresholdLine, ...]
    forecast: Forecast | None
