"""The timer rolls the cycles of accounts without traffic, and never ahead of a partition's unread backlog (`A12`).

The end of a partition that the client knows may be out of date: it was the end when the broker last responded, and
records that an open transaction holds back lie beyond it. So when a boundary is due, the worker queries the end offsets
of both inputs. The timer advances to the time of a query when the response shows that all records were read and taken.

That time is the brokers' time (`broker_time.py`). The worker's clock only decides when to request it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from botmeter.clock import Clock
from botmeter.domain.prices import SECOND_MS
from botmeter.engine.broker_time import Agreement, BrokerTime
from botmeter.engine.task import Task
from botmeter.errors import Retriable

log = logging.getLogger(__name__)

#: One broker's clock may be this much behind another's, so the timer stays behind by as much (A12 allows 5 s).
MARGIN_MS: Final = 2 * SECOND_MS


#: How closely the brokers' time must be known for a cycle to roll on time.
_CLOSE_MS: Final = SECOND_MS
_ASK_PAUSE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Ends:
    """The high watermarks of a task's two input partitions; records of open transactions lie below them, too."""

    interactions: int
    commands: int


@dataclass(frozen=True, slots=True)
class _Query:
    """A query of a task's ends; `asked_at` is a time that had passed at the brokers by then, UTC ms."""

    asked_at: int
    ends: Future[Ends]


class Timer:
    """The timer of all tasks of one worker."""

    def __init__(self, ask_ends: Callable[[int], Ends], broker_time: BrokerTime, clock: Clock) -> None:
        """`ask_ends` queries the ends of a partition, on the timer's own thread.

        It raises Retriable when there is no response, ClusterError when the cluster refuses.
        """
        self._ask_ends, self.broker_time, self._clock = ask_ends, broker_time, clock
        self._asked_time_s = float("-inf")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="timer")
        self._queries: dict[int, _Query] = {}

    def advance(self, task: Task) -> None:
        """Advances `task.timer_at` when a boundary is due and no earlier record is left; never waits.

        Called once a turn for a running task. Raises ClusterError.
        """
        if not task.is_idle:
            return
        query = self._queries.get(task.partition)
        if query is None:
            past_ms = self._time_if_due(task)
            if past_ms is not None:
                ends = self._thread.submit(self._ask_ends, task.partition)
                self._queries[task.partition] = _Query(past_ms, ends)
        elif query.ends.done():
            del self._queries[task.partition]
            self._take_response(task, query)

    def _time_if_due(self, task: Task) -> int | None:
        """Returns the brokers' time if a boundary is due by it and the clocks agree, else None."""
        past_ms, state = self.broker_time.at_least_ms(), task.states.meter.state
        if past_ms is None or not state.is_due(past_ms - MARGIN_MS):
            return None
        return past_ms if self.broker_time.agreement() is Agreement.AGREED else None

    def needs_time(self, task: Task) -> bool:
        """Whether to request the brokers' time: a boundary may be due, by the worker's clock or by theirs.

        False when the two are close, and within a few seconds of the last request.
        """
        now_s, now_ms, past_ms = self._clock.monotonic_s(), self._clock.now_ms(), self.broker_time.at_least_ms()
        if past_ms is not None and abs(now_ms - past_ms) <= _CLOSE_MS:
            return False
        if not task.is_idle or now_s - self._asked_time_s < _ASK_PAUSE_S:
            return False
        if not task.states.meter.state.is_due(max(now_ms, past_ms or 0) - MARGIN_MS):
            return False
        self._asked_time_s = now_s
        return True

    def close(self) -> None:
        """Waits for the query in progress."""
        self._thread.shutdown(cancel_futures=True)

    def _take_response(self, task: Task, query: _Query) -> None:
        try:
            ends = query.ends.result()
        except Retriable as error:
            log.warning("partition %d: the timer waits for the cluster: %s", task.partition, error)
            return
        if task.interactions.is_read_to(ends.interactions) and task.commands.is_read_to(ends.commands):
            task.timer_at = query.asked_at - MARGIN_MS
