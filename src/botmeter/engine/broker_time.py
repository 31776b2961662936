"""What time it is at the brokers. Cycles roll by it, never by the worker's clock: that may be set wrong.

A timestamp that a broker gave a record tells what time it was there, at least. From then on time passes at the rate of
the worker's monotonic clock, which no setting of the time of day moves. So there is a moment that is surely past at
the brokers, and each record of the inputs may move it on.

Without traffic it falls behind by and by, and after a start it may be as old as the last record. Then a record is
written, the snapshot of an account that is due, and the broker's timestamp of it is the time.

The worker's clock is only a witness: where it differs by more than a bound, one of the two is wrong, and no cycle is
rolled by time until they agree again. A cycle rolled too early cannot be taken back.
"""

from __future__ import annotations

import logging
from enum import Enum
from threading import Lock
from typing import Final

from botmeter.clock import Clock

log = logging.getLogger(__name__)

#: Clocks of two machines run apart by less than this share, so the worker's monotonic clock is taken so much slower.
_DRIFT: Final = 0.0002
#: A timestamp asked for so long ago still says whether the clocks agree.
_JUDGED_S: Final = 60.0


class Agreement(Enum):
    """How the worker's clock and the brokers' stand to each other."""

    #: No broker's timestamp is recent enough to say.
    UNKNOWN = "unknown"
    AGREED = "agreed"
    #: They differ by more than the bound: nothing is rolled by time.
    APART = "apart"


class BrokerTime:
    """The brokers' time, as far as this worker knows; used by several threads."""

    def __init__(self, clock: Clock, skew_limit_ms: int) -> None:
        """`skew_limit_ms`: by how much the worker's clock may differ."""
        self._clock, self._limit_ms = clock, skew_limit_ms
        self._lock = Lock()
        self._past_ms: int | None = None
        self._known_s = 0.0
        self._asked: tuple[int, float] | None = None
        self._said = Agreement.UNKNOWN
        self._is_refused = False

    def at_least_ms(self) -> int | None:
        """A moment that is past at the brokers, UTC ms; None before the first timestamp."""
        with self._lock:
            return self._at_least(self._clock.monotonic_s())

    def note(self, timestamp_ms: int) -> None:
        """A broker has stamped a record so, at some time."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            self._set(max(timestamp_ms, self._at_least(now_s) or timestamp_ms), now_s)

    def answer(self, timestamp_ms: int) -> None:
        """A broker has stamped a record so just now. It counts also where it is far below what was noted before."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            known = self._at_least(now_s)
            is_wrong = known is None or known - timestamp_ms > self._limit_ms
            self._set(timestamp_ms if known is None or is_wrong else max(timestamp_ms, known), now_s)
            self._asked = (timestamp_ms - self._clock.now_ms(), now_s)

    def refuse(self, topic: str) -> None:
        """Records of this topic, which are to tell the time, carry that of the worker."""
        with self._lock:
            if not self._is_refused:
                log.warning(
                    "%s does not tell the brokers' time: cycles of accounts without traffic may be rolled late until "
                    "it has message.timestamp.type=LogAppendTime (botmeter topics create --fix)", topic,
                )  # fmt: skip
            self._is_refused = True

    def agreement(self) -> Agreement:
        """Whether the clocks agree; a change is logged."""
        with self._lock:
            found = self._judged()
            if found is not self._said and Agreement.APART in (found, self._said):
                self._say(found)
            self._said = found
            return found

    def skew_ms(self) -> int | None:
        """How far the worker's clock is ahead of the brokers', as far as is known; negative when it is behind."""
        with self._lock:
            past_ms = self._at_least(self._clock.monotonic_s())
            return None if past_ms is None else self._clock.now_ms() - past_ms

    def _judged(self) -> Agreement:
        now_s, now_ms = self._clock.monotonic_s(), self._clock.now_ms()
        past_ms = self._at_least(now_s)
        if past_ms is None:
            return Agreement.UNKNOWN
        if abs(now_ms - past_ms) <= self._limit_ms:
            return Agreement.AGREED
        was_asked = self._asked is not None and now_s - self._asked[1] <= _JUDGED_S
        # Ahead of an old timestamp may mean no more than that it is old.
        return Agreement.APART if was_asked or now_ms < past_ms else Agreement.UNKNOWN

    def _say(self, found: Agreement) -> None:
        if found is not Agreement.APART:
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
