"""Rate limits: one token bucket for each credential and kind of request."""

from __future__ import annotations

import math
import time
from http import HTTPStatus
from typing import Final

from botmeter.web.problems import ProblemError

#: The most buckets kept; beyond that all are dropped, which fills every one again.
_BUCKETS_MAX: Final = 100_000


class RateLimit:
    """Allows `rate_per_s` requests a second for each credential, with bursts of twice as many."""

    def __init__(self, rate_per_s: int) -> None:
        self._rate, self._burst = float(rate_per_s), 2.0 * rate_per_s
        #: By credential: the tokens left in the bucket, and when they were counted (monotonic seconds).
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> None:
        """Counts one request. Raises ProblemError 429 with `Retry-After`."""
        now = time.monotonic()
        left, since = self._buckets.get(key, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        if left < 1.0:
            wait_s = math.ceil((1.0 - left) / self._rate)
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "rate_limited",
                f"more than {self._rate:g} requests a second",
                {"Retry-After": str(wait_s)},
            )
        if len(self._buckets) >= _BUCKETS_MAX:
            self._buckets = {}
        self._buckets[key] = (left - 1.0, now)
