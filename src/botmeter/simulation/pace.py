"""How many records are due: a rate that follows the simulated day."""

from __future__ import annotations

from typing import Final

from botmeter.domain.prices import DAY_MS
from botmeter.simulation.traffic import Traffic

#: Most records due at a time. After a pause of a slow broker the rest is dropped, so that no burst follows.
DUE_MAX: Final = 5_000


class Pace:
    """Counts the records that are due as time passes."""

    def __init__(self, traffic: Traffic, rate: float, day_begins_ms: int, day_length_s: float | None) -> None:
        """Starts at the moment `day_begins_ms` (UTC ms) of the simulated day.

        `rate` is in records a second, the mean over a day. A day takes `day_length_s`; None: the rate is steady.
        """
        self._traffic, self._rate = traffic, rate
        self._day_begins_ms, self._day_length_s = day_begins_ms, day_length_s
        self._owed = 0.0
        self._last_due_s = 0.0

    def day_ms(self, elapsed_s: float) -> int | None:
        """Returns the moment of the simulated day (UTC ms) after `elapsed_s`; None when the rate is steady."""
        if self._day_length_s is None:
            return None
        return self._day_begins_ms + int(elapsed_s / self._day_length_s * DAY_MS)

    def rate(self, elapsed_s: float) -> float:
        """Returns the records a second at this moment."""
        day_ms = self.day_ms(elapsed_s)
        return self._rate if day_ms is None else self._rate * self._traffic.busyness(day_ms)

    def due(self, elapsed_s: float) -> int:
        """Returns how many records are due since the last call."""
        self._owed += self.rate(elapsed_s) * (elapsed_s - self._last_due_s)
        self._last_due_s = elapsed_s
        due = min(int(self._owed), DUE_MAX)
        self._owed = min(self._owed - due, 1.0)
        return due
