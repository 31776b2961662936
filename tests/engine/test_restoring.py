"""Restores that wait for somebody else's transaction do not keep others waiting (F7); a fault is told to one alone."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from threading import Event as Flag
from typing import Final, cast

import pytest

from botmeter.clock import Clock
from botmeter.engine.restore import Restorer
from botmeter.engine.restoring import Restoring
from botmeter.engine.running_state import RunningState
from botmeter.errors import InvariantViolated, OutcomeUnknown, Retriable

PATIENCE_S: Final = 60.0


class StubRestorer:
    """Restores by a plan: what each partition raises, attempt by attempt; those in `stuck` wait for their end."""

    def __init__(self) -> None:
        self.left: dict[int, int] = {}
        self.stuck: set[int] = set()
        self.raising: Callable[[int, int], Exception | None] = lambda *_: None
        self.attempts: Counter[int] = Counter()

    def restore(self, partition: int, stop: Flag) -> RunningState:
        self.attempts[partition] += 1
        if partition in self.stuck:
            stop.wait()
        error = self.raising(partition, self.attempts[partition])
        if error is not None:
            raise error
        return cast(RunningState, f"states of {partition}")

    def close(self) -> None:
        """Nothing to let go."""


@pytest.fixture
def restorer() -> StubRestorer:
    return StubRestorer()


@pytest.fixture
def restoring(restorer: StubRestorer) -> Iterator[Restoring]:
    made = Restoring(cast(Restorer, restorer), Clock())
    yield made
    made.stop()
    made.close()


def await_finished(restoring: Restoring, partition: int) -> RunningState | BaseException:
    """Asks as the worker does, turn by turn."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = dict(restoring.finished())
        if partition in found:
            return found[partition]
        assert time.monotonic() < deadline, f"partition {partition} was not restored"
        time.sleep(0.01)


def test_a_partition_is_restored_although_many_others_are_stuck(restorer: StubRestorer, restoring: Restoring) -> None:
    restorer.stuck = set(range(9))
    for partition in range(10):
        restoring.begin(partition)

    assert await_finished(restoring, 9) == cast(RunningState, "states of 9")


def test_what_a_restore_cannot_do_is_told_of_its_partition(restorer: StubRestorer, restoring: Restoring) -> None:
    gap = InvariantViolated("the journal has a gap")
    restorer.raising = lambda partition, _: gap if partition == 0 else None
    restoring.begin(0)
    restoring.begin(1)

    assert await_finished(restoring, 0) is gap


def test_a_passing_fault_is_tried_again_until_it_passes(restorer: StubRestorer, restoring: Restoring) -> None:
    restorer.raising = lambda _, attempt: Retriable("no leader") if attempt <= 20 else None
    restoring.begin(0)

    assert await_finished(restoring, 0) == cast(RunningState, "states of 0")


def test_a_fault_that_nobody_can_name_is_tried_again_a_few_times(restorer: StubRestorer, restoring: Restoring) -> None:
    restorer.raising = lambda *_: OutcomeUnknown("what is this")
    restoring.begin(0)

    assert isinstance(await_finished(restoring, 0), OutcomeUnknown)
    assert 1 < restorer.attempts[0] < 20
