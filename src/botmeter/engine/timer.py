"""The timer rolls the cycles of accounts without traffic, and never ahead of a partition's unread backlog (`A12`).

The end of a partition as the client tells it is old news: it was the end when the client last heard from the broker,
and what an open transaction holds back lies beyond it. So when a boundary is due, the cluster is asked where the
partition ends, and the timer runs only up to the moment of a question whose answer shows that all was read and taken.

That moment is the brokers' time (`broker_time.py`). The worker's clock only says when it is worth asking them for it.
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

#: One broker's clock may be this much behind another's: the timer stays so far behind (A12 allows 5 s).
MARGIN_MS: Final = 2 * SECOND_MS


#: As near as the brokers' time must be known for a cycle to roll in time.
_CLOSE_MS: Final = SECOND_MS
_ASK_PAUSE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Ends:
    """The high watermarks of a task's two input partitions: records of open transactions lie below them, too."""

    interactions: int
    commands: int


@dataclass(frozen=True, slots=True)
class _Question:
    """`asked_at`: a moment that was past at the brokers by then, UTC ms."""

    asked_at: int
    ends: Future[Ends]


class Timer:
    """The timer of all tasks of one worker."""

    def __init__(self, ask_ends: Callable[[int], Ends], broker_time: BrokerTime, clock: Clock) -> None:
        """`ask_ends` asks the cluster about a partition, on a thread of the timer's.

        It raises Retriable without an answer, ClusterError when the cluster refuses.
        """
        self._ask_ends, self.broker_time, self._clock = ask_ends, broker_time, clock
        self._asked_time_s = float("-inf")
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="timer")
        self._questions: dict[int, _Question] = {}

    def advance(self, task: Task) -> None:
        """Moves `task.timer_at` on where a boundary is due and nothing stands before it; never waits.

        Called once a turn for a running task. Raises ClusterError.
        """
        if not task.is_idle:
            return
        question = self._questions.get(task.partition)
        if question is None:
            past_ms = self._time_if_due(task)
            if past_ms is not None:
                ends = self._asking.submit(self._ask_ends, task.partition)
                self._questions[task.partition] = _Question(past_ms, ends)
        elif question.ends.done():
            del self._questions[task.partition]
            self._answered(task, question)

    def _time_if_due(self, task: Task) -> int | None:
        """The brokers' time, when a boundary is due by it and the clocks agree."""
        past_ms, state = self.broker_time.at_least_ms(), task.states.meter.state
        if past_ms is None or not state.is_due(past_ms - MARGIN_MS):
            return None
        return past_ms if self.broker_time.agreement() is Agreement.AGREED else None

    def asks_the_time(self, task: Task) -> bool:
        """Whether the brokers are to be asked what time it is: a boundary may be due, by the worker's clock or theirs.

        Not where the two are close, nor more often than every few seconds.
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
        """Waits for the question under way."""
        self._asking.shutdown(cancel_futures=True)

    def _answered(self, task: Task, question: _Question) -> None:
        try:
            ends = question.ends.result()
        except Retriable as error:
            log.warning("partition %d: the timer waits for the cluster: %s", task.partition, error)
            return
        if task.interactions.is_read_to(ends.interactions) and task.commands.is_read_to(ends.commands):
            task.timer_at = question.asked_at - MARGIN_MS
