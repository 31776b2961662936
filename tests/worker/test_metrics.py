"""What the metrics say of a partition: how far it is, and how far behind."""

from __future__ import annotations

import time
from typing import Final, cast

import pytest

from botmeter.clock import Clock
from botmeter.contracts.topics import Topics
from botmeter.domain.prices import Rules
from botmeter.engine.failure import Failure
from botmeter.engine.lag import Lag
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
            clock=Clock(),
            rules_end=0,
        )
    )
    return made


def page(task: Task, lag: Lag | None = None) -> dict[str, float]:
    engine = StubEngine()
    engine.tasks[task.partition] = task
    if lag is not None:
        engine.lags[task.partition] = lag
    lines = Metrics(cast(Processor, engine)).render().decode().splitlines()
    samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def record(topic: str, ago_ms: int) -> TapeRecord:
    """One that the broker got so long ago; nobody can read it."""
    return TapeRecord(topic, 0, 0, None, b"", time.time_ns() // 1_000_000 - ago_ms, [])


def take_all(task: Task) -> None:
    meter = task.states.meter
    with meter.batch():
        for run, _ in task.runs(1_000):
            meter.take_interactions(run)


def test_nothing_is_said_of_a_partition_of_which_nothing_is_known_yet(task: Task) -> None:
    assert {TAKEN, LAG} & page(task).keys() == set()


def test_the_last_record_taken_is_told_and_stands_still_without_traffic(task: Task) -> None:
    hour_old = record(TOPICS.interactions.name, HOUR_MS)
    task.interactions.extend([hour_old])
    task.commands.end = 0
    task.proof = Proof(hour_old.offset() + 1, commands_to=0, asked_s=0.0)
    take_all(task)

    assert page(task)[TAKEN] == hour_old.timestamp()[1] / 1000


def test_the_lag_is_what_the_cluster_said_also_of_a_partition_that_is_not_metered() -> None:
    for status in (Status.RESTORING, Status.FAILED):
        task = Task(0)
        task.transition_to(status)
        said = page(task, Lag(time.monotonic(), 3600.0, {"chat.interactions": 7, "billing.commands": 0}))

        assert said[LAG] == pytest.approx(3600, abs=TOLERANCE_S)
        assert said['botmeter_lag_offsets{partition="0",topic="chat.interactions"}'] == 7
        assert said['botmeter_lag_offsets{partition="0",topic="billing.commands"}'] == 0


def test_an_answer_of_the_cluster_that_is_not_renewed_is_not_believed() -> None:
    task = Task(0)

    assert page(task, Lag(time.monotonic(), 0.0, {}))[LAG] < TOLERANCE_S
    assert page(task, Lag(time.monotonic() - 3600, 0.0, {}))[LAG] == pytest.approx(3600, abs=TOLERANCE_S)


def test_the_state_of_each_partition_and_its_age_are_told() -> None:
    task = Task(0)
    task.fail(Failure("the journal has a gap", "run: botmeter partition restore-from 0 journal"))
    task.since_s -= 3600
    said = page(task)

    assert said['botmeter_tasks{status="failed"}'] == 1
    assert {s: said[f'botmeter_partition_state{{partition="0",state="{s.value}"}}'] for s in Status} == {
        s: s is Status.FAILED for s in Status
    }
    assert said['botmeter_partition_state_age_seconds{partition="0"}'] == pytest.approx(3600, abs=TOLERANCE_S)
    assert said["botmeter_ready"] == 0


def test_a_partition_that_is_about_to_run_is_counted_and_no_more_said_of_it() -> None:
    """It runs, on another thread, and gets its states at the next moment; or it has just lost them."""
    task = Task(0)
    task.restore()
    task.transition_to(Status.RUNNING)

    said = page(task)
    assert said['botmeter_tasks{status="running"}'] == 1
    assert {TAKEN, LAG} & said.keys() == set()
