"""The brokers' time. Cycles roll by it, never by the worker's clock, which may be wrong.

The timestamp that a broker gave a record is a lower bound of the brokers' time. The time since then is measured by the
worker's monotonic clock, which no change of the time of day affects. The sum is a time that has surely passed at the
brokers, and each record of the inputs may raise it.

Without traffic the sum slowly falls behind, and after a start it may be as old as the last record. Then the worker
writes a record, the snapshot of the account that is due, and its broker timestamp is the time.

The worker's clock is only a check: when it differs by more than a limit, one of the two is wrong, and no cycle is
rolled by time until they agree again. A cycle rolled too early cannot be undone.
"""

from __future__ import annotations

import logging
from enum import Enum
from threading import Lock
from typing import Final

from botmeter.clock import Clock

log = logging.getLogger(__name__)

#: The clocks of two machines drift by less than this share, so the worker's monotonic clock is slowed by it.
_DRIFT: Final = 0.0002
#: A requested timestamp shows for this long whether the clocks agree.
_VALID_S: Final = 60.0


class Agreement(Enum):
    """Whether the worker's clock and the brokers' clocks agree."""

    #: No broker timestamp is recent enough.
    UNKNOWN = "unknown"
    AGREED = "agreed"
    #: They differ by more than the limit: no cycle is rolled by time.
    APART = "apart"


class BrokerTime:
    """A lower bound of the brokers' time, as this worker knows it; used by several threads."""

    def __init__(self, clock: Clock, skew_limit_ms: int) -> None:
        """`skew_limit_ms`: how much the worker's clock may differ."""
        self._clock, self._limit_ms = clock, skew_limit_ms
        self._lock = Lock()
        self._past_ms: int | None = None
        self._known_s = 0.0
        #: The difference that the last requested timestamp showed, and when it was received.
        self._requested: tuple[int, float] | None = None
        self._logged = Agreement.UNKNOWN
        self._is_refused = False

    def at_least_ms(self) -> int | None:
        """Returns a time that has passed at the brokers, UTC ms; None before the first timestamp."""
        with self._lock:
            return self._at_least(self._clock.monotonic_s())

    def note(self, timestamp_ms: int) -> None:
        """Takes the timestamp that a broker gave a record at some time in the past."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            self._set(max(timestamp_ms, self._at_least(now_s) or timestamp_ms), now_s)

    def answer(self, timestamp_ms: int) -> None:
        """Takes the timestamp that a broker gave a record just now. It counts even if it is far below earlier ones."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            known = self._at_least(now_s)
            is_wrong = known is None or known - timestamp_ms > self._limit_ms
            self._set(timestamp_ms if known is None or is_wrong else max(timestamp_ms, known), now_s)
            self._requested = (timestamp_ms - self._clock.now_ms(), now_s)

    def refuse(self, topic: str) -> None:
        """Logs once that records of this topic carry the worker's time, so that it cannot show the brokers' time."""
        with self._lock:
            if not self._is_refused:
                log.warning(
                    "%s does not tell the brokers' time: cycles of accounts without traffic may be rolled late until "
                    "it has message.timestamp.type=LogAppendTime (botmeter topics create --fix)", topic,
                )  # fmt: skip
            self._is_refused = True

    def agreement(self) -> Agreement:
        """Returns whether the clocks agree; logs a change."""
        with self._lock:
            agreement = self._compared()
            if agreement is not self._logged and Agreement.APART in (agreement, self._logged):
                self._log(agreement)
            self._logged = agreement
            return agreement

    def skew_ms(self) -> int | None:
        """Returns how far the worker's clock is ahead of the known broker time; negative when it is behind."""
        with self._lock:
            past_ms = self._at_least(self._clock.monotonic_s())
            return None if past_ms is None else self._clock.now_ms() - past_ms

    def _compared(self) -> Agreement:
        now_s, now_ms = self._clock.monotonic_s(), self._clock.now_ms()
        past_ms = self._at_least(now_s)
        if past_ms is None:
            return Agreement.UNKNOWN
        if abs(now_ms - past_ms) <= self._limit_ms:
            return Agreement.AGREED
        is_recent = self._requested is not None and now_s - self._requested[1] <= _VALID_S
        # A clock that is ahead of an old timestamp may still be right.
        return Agreement.APART if is_recent or now_ms < past_ms else Agreement.UNKNOWN

    def _log(self, agreement: Agreement) -> None:
        if agreement is not Agreement.APART:
            log.warning("the worker's clock and the brokers' agree again; cycles roll by time")
            return
        apart_s = (self._clock.now_ms() - (self._at_least(self._clock.monotonic_s()) or 0)) / 1000
        log.error(
            "the worker's clock is %.0f s %s the brokers'; no cycle is rolled by time until they agree: set the clocks "
            "of worker and brokers (BOTMETER_CLOCK_SKEW_LIMIT_S is %.0f)",
            abs(apart_s), "ahead of" if apart_s > 0 else "behind", self._limit_ms / 1000,
        )  # fmt: skip

    def _at_least(self, now_s: float) -> int | None:
        if self._past_ms is None:
            return None
        return self._past_ms + int((now_s - self._known_s) * (1 - _DRIFT) * 1000)

    def _set(self, past_ms: int, now_s: float) -> None:
        self._past_ms, self._known_s = past_ms, now_s
