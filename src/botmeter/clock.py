"""The clock and the deadlines made from it, passed in wherever time matters, so that tests can set both."""

from __future__ import annotations

import time
from dataclasses import dataclass


class Clock:
    """This machine's clocks. Money never follows `now_ms`: it may be set wrong, and jumps when it is set right."""

    def now_ms(self) -> int:
        """The time of day, UTC ms."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Seconds since some moment; it only ever goes forward, at the rate of real time."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Returns after so long."""
        time.sleep(seconds)

    def deadline(self, seconds: float) -> Deadline:
        """So long from now."""
        return Deadline(self, self.monotonic_s() + seconds)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment after which waiting ends; `at_s` is by the clock's monotonic seconds."""

    clock: Clock
    at_s: float

    @property
    def left_s(self) -> float:
        """Seconds until then; 0 when it is past."""
        return max(0.0, self.at_s - self.clock.monotonic_s())

    @property
    def is_past(self) -> bool:
        """Whether it is over."""
        return self.clock.monotonic_s() > self.at_s
