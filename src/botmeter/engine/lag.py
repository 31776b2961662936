"""The lag of each partition of a worker, computed from the committed offsets and the ends of the inputs.

It does not depend on what was read, so it also covers partitions in restore, partitions whose commits fail, and
partitions whose input is held back by an open transaction.
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

#: How often the cluster is queried.
_EVERY_S: Final = 2.0
#: A response older than this is out of date: the lag grows with its age.
_FRESH_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Lag:
    """The lag of one partition when the cluster was queried, at `asked_s` by a monotonic clock.

    `behind_s`: the age of the oldest uncommitted record, 0 when all are committed. `offsets`: the number of uncommitted
    offsets by topic.
    """

    asked_s: float
    behind_s: float
    offsets: Mapping[str, int]

    def seconds(self, now_s: float) -> float:
        """Returns the lag at this time of the monotonic clock, including the age of an outdated response."""
        return self.behind_s + max(0.0, now_s - self.asked_s - _FRESH_S)


class LagWatch:
    """Queries the cluster every few seconds, on a thread of its own, about the partitions that a worker owns."""

    def __init__(self, make_reader: Callable[[], BacklogReader], topics: Sequence[str], clock: Clock) -> None:
        """`topics` are the inputs."""
        self._make_reader, self._topics, self._clock = make_reader, topics, clock
        self._stop = Flag()
        self._thread: Thread | None = None
        #: The last lag of each owned partition; missing until there is one.
        self.lags: Mapping[int, Lag] = {}

    def start(self, owned: Callable[[], list[int]]) -> None:
        """Starts the thread; `owned` returns the partitions to query."""
        self._thread = Thread(target=self._watch, args=[owned], name="lag", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops the queries; does not wait."""
        self._stop.set()

    def _watch(self, owned: Callable[[], list[int]]) -> None:
        reader = self._make_reader()
        while not self._stop.wait(_EVERY_S):
            numbers, asked_s, now_ms = owned(), self._clock.monotonic_s(), self._clock.now_ms()
            try:
                backlogs = reader.of(self._topics, numbers) if numbers else {}
            except BotmeterError as error:
                log.info("the lag is not known: %s", error)
                known = self.lags
                self.lags = {number: known[number] for number in numbers if number in known}
                continue
            self.lags = {number: _lag(number, backlogs, asked_s, now_ms) for number in numbers}
        reader.close()


def _lag(number: int, backlogs: Mapping[tuple[str, int], Backlog], asked_s: float, now_ms: int) -> Lag:
    own = {topic: backlog for (topic, partition), backlog in backlogs.items() if partition == number}
    oldest = min((backlog.oldest_at for backlog in own.values() if backlog.oldest_at is not None), default=now_ms)
    return Lag(asked_s, max(0, now_ms - oldest) / 1000, {topic: backlog.offsets for topic, backlog in own.items()})
