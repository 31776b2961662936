"""What the metrics say of a partition: how far it is, and how far behind."""

from __future__ import annotations

import time
from typing import Final, cast

import pytest

from botmeter.contracts.topics import Topics
from botmeter.domain.prices import Rules
from botmeter.engine.processor import Processor
from botmeter.engine.running_state import RunningState
from botmeter.engine.snapshots import SnapshotSchedule
from botmeter.engine.task import Proof, Status, Task
from botmeter.host.metrics import Metrics
from botmeter.metering.pipeline import Meter
from botmeter.metering.state import PartitionState
from botmeter.metering.store import MemoryStore
from botmeter.replay.tape import TapeRecord

from .stub_engine import StubEngine

TOPICS: Final = Topics.named()
TAKEN: Final = 'botmeter_taken_timestamp_seconds{partition="0"}'
LAG: Final = 'botmeter_lag_seconds{partition="0"}'
HOUR_MS: Final = 3_600_000
#: A test on a busy machine may take so long between a record and the look at its age.
TOLERANCE_S: Final = 600


@pytest.fixture
def task() -> Task:
    """A partition just restored: nothing was read or taken since."""
    store = MemoryStore()
    state = PartitionState(store, Rules(), cache_windows=1_000)
    meter = Meter(0, 1, state, TOPICS, Rules(), next_offset=0)
    made = Task(0)
    made.restore()
    snapshots = SnapshotSchedule(60, {}, topic_id="a-topic")
    made.run(
        RunningState(
            meter=meter,
            store=store,
            snapshots=snapshots,
            journal_offset=0,
            journal_topic_id="a-topic",
            interactions_from=0,
            commands_from=0,
            memory_ms=0,
        )
    )
    return made


def page(task: Task) -> dict[str, float]:
    engine = StubEngine()
    engine.tasks[task.partition] = task
    lines = Metrics(cast(Processor, engine)).render().decode().splitlines()
    samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def record(topic: str, ago_ms: int) -> TapeRecord:
    """One that the broker got so long ago; nobody can read it."""
    return TapeRecord(topic, 0, 0, None, b"", time.time_ns() // 1_000_000 - ago_ms, [])


def read_to_the_end(task: Task) -> None:
    for input_ in (task.interactions, task.commands):
        input_.end = len(input_.waiting)


def take_all(task: Task) -> None:
    meter = task.states.meter
    with meter.batch():
        for run, _ in task.runs(1_000):
            meter.take_interactions(run)


def test_nothing_is_said_of_a_partition_of_which_nothing_is_known_yet(task: Task) -> None:
    assert {TAKEN, LAG} & page(task).keys() == set()


def test_a_restored_partition_without_traffic_has_no_lag(task: Task) -> None:
    read_to_the_end(task)

    said = page(task)
    assert said[LAG] == 0
    assert TAKEN not in said


def test_the_lag_is_the_age_of_the_next_record(task: Task) -> None:
    task.interactions.extend([record(TOPICS.interactions.name, HOUR_MS)])
    task.commands.extend([record(TOPICS.commands.name, 2 * HOUR_MS)])

    assert page(task)[LAG] == pytest.approx(2 * 3600, abs=TOLERANCE_S)


def test_the_lag_is_that_of_the_last_record_taken_while_more_may_come_and_ends_with_the_partition(task: Task) -> None:
    hour_old = record(TOPICS.interactions.name, HOUR_MS)
    task.interactions.extend([hour_old])
    task.commands.end = 0
    task.proof = Proof(hour_old.offset() + 1, commands_to=0, asked_s=0.0)
    take_all(task)

    said = page(task)
    assert said[TAKEN] == hour_old.timestamp()[1] / 1000
    assert said[LAG] == pytest.approx(3600, abs=TOLERANCE_S)
    task.interactions.end = 1
    said = page(task)
    assert said[TAKEN] == hour_old.timestamp()[1] / 1000
    assert said[LAG] == 0


def test_a_record_of_a_clock_ahead_is_not_late(task: Task) -> None:
    task.interactions.extend([record(TOPICS.interactions.name, -HOUR_MS)])

    assert page(task)[LAG] == 0


def test_a_partition_that_is_about_to_run_is_counted_and_no_more_said_of_it() -> None:
    """It runs, on another thread, and gets its states at the next moment; or it has just lost them."""
    task = Task(0)
    task.restore()
    task.transition_to(Status.RUNNING)

    said = page(task)
    assert said['botmeter_tasks{status="running"}'] == 1
    assert {TAKEN, LAG} & said.keys() == set()
