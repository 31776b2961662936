"""What a worker notes for operators about a partition that has failed."""

from __future__ import annotations

import itertools
from queue import Empty, Queue
from typing import Any, cast

import pytest
from confluent_kafka import OFFSET_INVALID, Consumer, TopicPartition

from botmeter.clock import Clock
from botmeter.contracts.partition_notes import decode_note
from botmeter.engine.failure import Failure
from botmeter.engine.rescues import Rescues
from botmeter.engine.task import Task

#: Looks until a note must be there.
LOOKS = 1_000
#: Where a partition begins that has no commit.
BEGINNING = 3


class Hasty(Clock):
    """A minute passes between two looks."""

    def __init__(self) -> None:
        self._minutes = itertools.count()

    def monotonic_s(self) -> float:
        return 60.0 * next(self._minutes)


class Member:
    """A consumer that keeps what it commits."""

    def __init__(self, place: TopicPartition) -> None:
        self._place = place
        self.commits = Queue[TopicPartition]()

    def committed(self, *_: Any, **__: Any) -> list[TopicPartition]:
        return [self._place]

    def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> None:  # noqa: FBT001 - its name for it
        del asynchronous
        [self._place] = offsets
        self.commits.put(self._place)


@pytest.mark.parametrize("committed", [OFFSET_INVALID, 5])
def test_who_fails_for_something_else_before_the_next_commit_notes_that(committed: int) -> None:
    """As after a rescue, where the next record cannot be taken either."""
    clock, member = Hasty(), Member(TopicPartition("topic", 0, committed))
    has_begun = committed >= 0
    beginnings = {} if has_begun else {0: BEGINNING}
    rescues = Rescues(cast("Consumer", member), "topic", "worker", lambda *_: set(), beginnings, clock)
    task = Task(0, clock)

    def noted(failure: Failure) -> TopicPartition:
        task.fail(failure)
        for _ in range(LOOKS):
            rescues.newly_rescued({0: task})
            try:
                return member.commits.get(timeout=0.01)
            except Empty:
                continue
        raise AssertionError(f"{failure} was not noted")

    for failure in (Failure("a gap", "run: this"), Failure("a bug", "run: that")):
        place = noted(failure)
        note = decode_note(place.metadata)
        assert note is not None
        assert (place.offset, note.has_begun) == (committed if has_begun else BEGINNING, has_begun)
        assert (note.reason, note.remedy) == (failure.reason, failure.remedy)
        task.restore()
    rescues.close()
