"""One transaction holds no more than its budget, in records and in bytes; what it cannot hold follows in the next."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmeter.clock import Clock
from botmeter.contracts.topics import Topics
from botmeter.domain.account import Account
from botmeter.domain.prices import Rules
from botmeter.engine.batch import Batch, Part
from botmeter.engine.broker_time import BrokerTime
from botmeter.engine.budget import Allowance, Budget
from botmeter.engine.inputs import Inputs
from botmeter.engine.running_state import RunningState
from botmeter.engine.snapshots import SnapshotSchedule
from botmeter.engine.task import Proof, Task
from botmeter.engine.transaction import Transaction
from botmeter.metering.pipeline import Decided, Meter
from botmeter.metering.state import Changes, PartitionState
from botmeter.metering.store import MemoryStore
from botmeter.replay.tape import TapeRecord
from memory_kafka.groups import Membership
from memory_kafka.sides import MemorySide
from metering.test_store import account
from properties import property_

TOPICS: Final = Topics.named()
MIB: Final = 1 << 20
ACCOUNTS: Final = 10


# --- Halved and grown back ---


def test_a_budget_is_halved_by_failures_and_grows_back_with_what_succeeds() -> None:
    budget = Budget(20_000)
    budget.halve()
    budget.halve()

    assert budget.is_cut
    assert (budget.records().records, budget.cycles, budget.snapshots().records) == (5_000, 1_250, 1_250)
    assert budget.records().bytes == Budget(20_000).records().bytes // 4
    for _ in range(20):
        budget.regrow()
    assert not budget.is_cut
    assert budget.records() == Budget(20_000).records()


def test_however_often_it_is_halved_something_can_be_taken() -> None:
    for records_max in (1, 20_000, 200_000):
        budget = Budget(records_max)
        for _ in range(30):
            budget.halve()

        assert not budget.records().is_used_up
        assert budget.cycles > 0
        assert not budget.snapshots().is_used_up


# --- Records ---


def waiting(topic: str, sizes: list[int]) -> list[TapeRecord]:
    return [TapeRecord(topic, 0, number, b"acme", bytes(size), number, []) for number, size in enumerate(sizes)]


some_sizes = st.lists(st.integers(0, 50), max_size=20)


@property_
@given(some_sizes, some_sizes, st.integers(0, 400))
def test_only_the_last_record_that_fits_may_be_beyond_the_bytes(said: list[int], asked: list[int], most: int) -> None:
    task = Task(0)
    for input_, topic, sizes in ((task.interactions, "chats", said), (task.commands, "commands", asked)):
        if sizes:
            input_.extend(waiting(topic, sizes))
        input_.end = len(sizes)
    task.proof = Proof(len(said), len(asked), asked_s=0.0)
    fitting = task.fitting(most)
    taken = [record for run, command in task.runs(fitting) for record in [*run, *([command] if command else [])]]

    assert fitting >= 1
    assert len(taken) == min(fitting, len(said) + len(asked))
    assert sum(len(record.value() or b"") for record in taken[:-1]) <= most


# --- Reading ---


class Reading:
    """The inputs of one partition, with the consumer and a producer of their records."""

    def __init__(self) -> None:
        side = MemorySide()
        for topic in (TOPICS.interactions, TOPICS.commands):
            side.broker.create_topic(topic.name, 1, has_brokers_time=True)
        self.consumer, self._producer = side.consumer(), side.producer()
        self.inputs, self.task = Inputs(self.consumer, TOPICS, BrokerTime(Clock(), 1_000)), Task(0)
        self.inputs.assign(self.task)

    def write(self, mib: int) -> None:
        for _ in range(mib):
            self._producer.produce(TOPICS.interactions.name, bytes(MIB), b"acme", 0)
        assert self._producer.flush(60) == 0

    def come(self) -> int:
        """How many records come within a second."""
        return sum(message.error() is None for message in self.consumer.consume(1_000, timeout=1.0))


def test_an_input_of_which_too_many_bytes_wait_is_read_on_once_they_are_taken() -> None:
    reading = Reading()
    consumer, inputs, task = reading.consumer, reading.inputs, reading.task

    def read() -> int:
        before = len(task.interactions.waiting)
        inputs.distribute(consumer.consume(1_000, timeout=1.0))
        inputs.throttle([task])
        return len(task.interactions.waiting) - before

    reading.write(65)
    while len(task.interactions.waiting) < 65:
        read()
    reading.write(1)
    assert [read() for _ in range(5)] == [0] * 5
    for _ in range(2):
        task.interactions.waiting.popleft()
    inputs.throttle([task])
    while not read():
        pass
    assert len(task.interactions.waiting) == 64


def test_an_input_that_was_restored_while_too_many_of_its_records_waited_is_read_again() -> None:
    """The client keeps it paused when it is assigned again."""
    reading = Reading()
    consumer, inputs, task = reading.consumer, reading.inputs, reading.task
    reading.write(66)
    while len(task.interactions.waiting) < 65:
        inputs.distribute(consumer.consume(1, timeout=1.0))
    inputs.throttle([task])
    assert reading.come() == 0

    consumer.incremental_unassign(inputs.forget(0))
    inputs.assign(Task(0))

    assert reading.come() > 0


# --- Snapshots ---


def large(number: int) -> Account:
    """Its snapshot takes a MiB."""
    made = account(1, f"a-{number}")
    return replace(made, terms=replace(made.terms, contacts=("x" * MIB,)))


@pytest.fixture
def side() -> MemorySide:
    made = MemorySide()
    for topic in TOPICS.all():
        made.broker.create_topic(topic.name, 1, has_brokers_time=topic is TOPICS.snapshots)
    return made


def states() -> RunningState:
    """Of accounts whose snapshots are all due."""
    due = {large(number).account_id.encode(): (large(number), number) for number in range(ACCOUNTS)}
    state = PartitionState(MemoryStore(), Rules(), cache_windows=100)
    return RunningState(
        meter=Meter(0, 1, state, TOPICS, Rules(), 0),
        store=MemoryStore(),
        snapshots=SnapshotSchedule(60.0, due, "a-topic"),
        journal_offset=ACCOUNTS,
        journal_topic_id="another-topic",
        interactions_from=0,
        commands_from=0,
        memory_ms=0,
        clock=Clock(),
        rules_end=0,
    )


@pytest.mark.parametrize(
    ("allowed", "in_each"),
    [
        pytest.param(Allowance(1_000, 5 * MIB // 2), [3, 3, 3, 1, 0], id="bytes"),
        pytest.param(Allowance(4, 1_000 * MIB), [4, 4, 2, 0], id="records"),
        pytest.param(Allowance(1_000, 1), [1] * 10 + [0], id="one that is too large alone"),
    ],
)
def test_snapshots_that_are_all_due_are_written_in_several_transactions(
    allowed: Allowance, in_each: list[int], side: MemorySide
) -> None:
    running, log = states(), side.broker.log((TOPICS.snapshots.name, 0))
    transaction = Transaction(
        lambda _: side.producer("worker"), TOPICS, 60.0, BrokerTime(Clock(), 1_000), Clock(), lambda: 0
    )
    transaction.open()
    left = [len(running.snapshots.pending())]
    for _ in in_each:
        parts = [Part(running, Decided(0, Changes()), 0, 0, 0)]
        transaction.commit(Batch(parts, Membership("group", "", -1), replace(allowed)))
        left.append(len(running.snapshots.pending()))
    transaction.close()

    assert [before - after for before, after in pairwise(left)] == in_each
    written = log.read_all(0, log.high_watermark, records_max=1_000)[0]
    assert {message.key() for message in written} == {f"a-{number}".encode() for number in range(ACCOUNTS)}
