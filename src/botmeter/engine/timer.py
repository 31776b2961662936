"""The timer rolls the cycles of accounts without traffic, and never ahead of a partition's unread backlog (`A12`).

The end of a partition as the client tells it is old news: it was the end when the client last heard from the broker,
and what an open transaction holds back lies beyond it. So when a boundary is due, the cluster is asked where the
partition ends, and the timer runs only up to the moment of a question whose answer shows that all was read and taken.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from botmeter.domain.prices import SECOND_MS
from botmeter.engine.task import Task
from botmeter.errors import Retriable

log = logging.getLogger(__name__)

#: The broker's clock may be this much behind the worker's: the timer stays so far behind it (A12 allows 5 s).
MARGIN_MS: Final = 2 * SECOND_MS


@dataclass(frozen=True, slots=True)
class Ends:
    """The high watermarks of a task's two input partitions: records of open transactions lie below them, too."""

    interactions: int
    commands: int


@dataclass(frozen=True, slots=True)
class _Question:
    """`asked_at` is the worker's clock, UTC ms."""

    asked_at: int
    ends: Future[Ends]


class Timer:
    """The timer of all tasks of one worker."""

    def __init__(self, ask_ends: Callable[[int], Ends]) -> None:
        """`ask_ends` asks the cluster about a partition, on a thread of the timer's.

        It raises Retriable without an answer, ClusterError when the cluster refuses.
        """
        self._ask_ends = ask_ends
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="timer")
        self._questions: dict[int, _Question] = {}

    def advance(self, task: Task, now_ms: int) -> None:
        """Moves `task.timer_at` on where a boundary is due and nothing stands before it; never waits.

        Called once a turn for a running task. Raises ClusterError.
        """
        if not task.is_idle or not task.states.meter.state.is_due(now_ms - MARGIN_MS):
            return
        question = self._questions.get(task.partition)
        if question is None:
            ends = self._asking.submit(self._ask_ends, task.partition)
            self._questions[task.partition] = _Question(now_ms, ends)
        elif question.ends.done():
            del self._questions[task.partition]
            self._answered(task, question)

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
