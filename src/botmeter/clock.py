"""The clock, and deadlines by it. Code that depends on time receives them as arguments, so that tests can set them."""

from __future__ import annotations

import time
from dataclasses import dataclass


class Clock:
    """This machine's clocks. Billing never depends on `now_ms`: it may be wrong, and jumps when it is corrected."""

    def now_ms(self) -> int:
        """Returns the time of day, UTC ms."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Returns seconds since an arbitrary moment; they only go forward, at the rate of real time."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Returns after this many seconds."""
        time.sleep(seconds)

    def deadline(self, seconds: float) -> Deadline:
        """Returns the deadline this many seconds from now."""
        return Deadline(self, self.monotonic_s() + seconds)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment at which waiting ends; `at_s` is in the clock's monotonic seconds."""

    clock: Clock
    at_s: float

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; 0 when it is past."""
        return max(0.0, self.at_s - self.clock.monotonic_s())

    @property
    def is_past(self) -> bool:
        """Whether the deadline is past."""
        return self.clock.monotonic_s() > self.at_s
