"""How far behind each partition of a worker is, by what is committed and what the cluster has, not by what was read.

So a partition in restore, one whose commits fail and one whose input is held back by an open transaction all show.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event as Flag
from threading import Thread
from typing import Final

from botmeter.clock import Clock
from botmeter.errors import BotmeterError
from botmeter.kafka.backlog import Backlog, BacklogReader

log = logging.getLogger(__name__)

#: How often the cluster is asked.
_EVERY_S: Final = 2.0
#: An answer older than this is not believed any more: the lag grows with its age.
_FRESH_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Lag:
    """Of one partition, as it was when the cluster was asked, `asked_s` by a monotonic clock.

    `behind_s`: the age of the oldest record not committed, 0 when all is; `offsets`: how many are not, by topic.
    """

    asked_s: float
    behind_s: float
    offsets: Mapping[str, int]

    def seconds(self, now_s: float) -> float:
        """The lag at this moment of the monotonic clock: the age of an answer that is not renewed counts."""
        return self.behind_s + max(0.0, now_s - self.asked_s - _FRESH_S)


class LagWatch:
    """Asks the cluster every few seconds, on a thread of its own, about the partitions that a worker owns."""

    def __init__(self, make_reader: Callable[[], BacklogReader], topics: Sequence[str], clock: Clock) -> None:
        """`topics` are the inputs."""
        self._make_reader, self._topics, self._clock = make_reader, topics, clock
        self._stop = Flag()
        self._thread: Thread | None = None
        #: The last answer about each partition owned; missing until there is one.
        self.lags: Mapping[int, Lag] = {}

    def start(self, owned: Callable[[], list[int]]) -> None:
        """Begins to ask; `owned` tells about which partitions."""
        self._thread = Thread(target=self._watch, args=[owned], name="lag", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Asks no more; does not wait."""
        self._stop.set()

    def _watch(self, owned: Callable[[], list[int]]) -> None:
        reader = self._make_reader()
        while not self._stop.wait(_EVERY_S):
            numbers, asked_s, now_ms = owned(), self._clock.monotonic_s(), self._clock.now_ms()
            try:
                found = reader.of(self._topics, numbers) if numbers else {}
            except BotmeterError as error:
                log.info("the lag is not known: %s", error)
                known = self.lags
                self.lags = {number: known[number] for number in numbers if number in known}
                continue
            self.lags = {number: _lag(number, found, asked_s, now_ms) for number in numbers}
        reader.close()


def _lag(number: int, found: Mapping[tuple[str, int], Backlog], asked_s: float, now_ms: int) -> Lag:
    mine = {topic: backlog for (topic, partition), backlog in found.items() if partition == number}
    oldest = min((backlog.oldest_at for backlog in mine.values() if backlog.oldest_at is not None), default=now_ms)
    return Lag(asked_s, max(0, now_ms - oldest) / 1000, {topic: backlog.offsets for topic, backlog in mine.items()})
