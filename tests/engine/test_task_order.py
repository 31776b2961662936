"""The two inputs of a task become one order: the broker's time, whatever arrives first."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmeter.engine.task import Input, Proof, Status, Task
from botmeter.errors import InvariantViolated
from botmeter.metering.records import Record
from botmeter.replay.tape import TapeRecord
from properties import property_

INTERACTIONS, COMMANDS = "chat.interactions", "billing.commands"

times = st.lists(st.integers(0, 30), max_size=25)


def records(topic: str, at: list[int]) -> list[Record]:
    return [TapeRecord(topic, 0, offset, b"acme", b"", moment, []) for offset, moment in enumerate(at)]


def place(record: Record) -> tuple[str, int]:
    return record.topic(), record.offset()


def taken(task: Task, records_max: int = 1_000_000) -> list[tuple[str, int]]:
    """Takes what can be taken now."""
    order = []
    for run, command in task.runs(records_max):
        order += [place(record) for record in run]
        if command is not None:
            order.append(place(command))
    return order


def merged(interactions: list[Record], commands: list[Record]) -> list[tuple[str, int]]:
    """Both by time, each in its own order of offsets; of two with the same time the command first."""
    left, right, order = list(interactions), list(commands), []
    while left or right:
        is_command = bool(right) and (not left or right[0].timestamp()[1] <= left[0].timestamp()[1])
        order.append(place((right if is_command else left).pop(0)))
    return order


@property_
@given(times.map(sorted), times.map(sorted))
def test_what_was_read_whole_is_taken_by_the_brokers_time(said: list[int], asked: list[int]) -> None:
    task = Task(0)
    interactions, commands = records(INTERACTIONS, said), records(COMMANDS, asked)
    for input_, found in ((task.interactions, interactions), (task.commands, commands)):
        for record in found:
            input_.extend([record])
        input_.end = len(found)
    task.proof = Proof(len(interactions), len(commands), asked_s=0.0)

    assert taken(task) == merged(interactions, commands)
    assert (task.interactions.position, task.commands.position) == (len(said), len(asked))
    assert task.is_idle


@property_
@given(times, times, st.integers(0, 2**32))
def test_a_backlog_is_taken_in_the_same_order_however_it_arrives(said: list[int], asked: list[int], seed: int) -> None:
    dice, task = Random(seed), Task(0)
    interactions, commands = records(INTERACTIONS, said), records(COMMANDS, asked)
    left = [(task.interactions, [*interactions]), (task.commands, [*commands])]
    order: list[tuple[str, int]] = []
    task.proof = Proof(len(interactions), len(commands), asked_s=0.0)
    while left:
        place_ = dice.randrange(len(left))
        input_, coming = left[place_]
        for record in coming[: dice.randint(1, 5)]:
            input_.extend([record])
        del coming[: len(input_.waiting) + input_.position - (coming[0].offset() if coming else 0)]
        if not coming:
            input_.end = input_.position + len(input_.waiting)
            left.pop(place_)
        order += taken(task)

    assert order == merged(interactions, commands)


@property_
@given(times.map(sorted), times.map(sorted), st.integers(1, 5))
def test_a_backlog_is_taken_in_the_same_order_in_however_small_turns(
    said: list[int], asked: list[int], records_max: int
) -> None:
    task, order = Task(0), []
    interactions, commands = records(INTERACTIONS, said), records(COMMANDS, asked)
    for input_, found in ((task.interactions, interactions), (task.commands, commands)):
        for record in found:
            input_.extend([record])
        input_.end = len(found)
    task.proof = Proof(len(interactions), len(commands), asked_s=0.0)
    while turn := taken(task, records_max):
        assert len(turn) <= records_max + 1
        order += turn

    assert order == merged(interactions, commands)


def test_nothing_is_taken_while_the_other_input_may_hold_something_earlier() -> None:
    task = Task(0)
    task.interactions.extend(records(INTERACTIONS, [10]))
    task.interactions.end = 1

    assert taken(task) == []
    assert not task.is_idle

    task.commands.end = 0

    assert taken(task) == [], "the end as the client last heard is no proof"
    assert task.needs_proof

    task.proof = Proof(chats_below=1, commands_to=0, asked_s=0.0)

    assert taken(task) == [(INTERACTIONS, 0)]
    assert task.is_idle


def test_a_chat_waits_until_the_commands_are_read_to_where_they_ended_when_the_cluster_was_asked() -> None:
    task = Task(0)
    task.interactions.extend(records(INTERACTIONS, [10, 11]))
    task.interactions.end, task.commands.end = 2, 0
    task.proof = Proof(chats_below=1, commands_to=2, asked_s=0.0)

    assert taken(task) == []
    assert task.is_held
    assert not task.needs_proof

    task.commands.extend(records(COMMANDS, [8, 9]))

    assert taken(task) == [(COMMANDS, 0), (COMMANDS, 1), (INTERACTIONS, 0)]
    assert task.needs_proof, "the second chat was not in the log yet when the cluster was asked"


def test_a_chat_older_than_a_command_that_waits_needs_no_proof() -> None:
    task = Task(0)
    task.interactions.extend(records(INTERACTIONS, [10, 12]))
    task.commands.extend(records(COMMANDS, [11]))

    assert not task.needs_proof
    assert taken(task) == [(INTERACTIONS, 0), (COMMANDS, 0)]
    assert task.needs_proof


def test_what_one_answer_freed_stays_free_while_the_next_is_awaited() -> None:
    task = Task(0)
    task.interactions.extend(records(INTERACTIONS, [10, 11, 12]))
    task.proof = Proof(chats_below=2, commands_to=0, asked_s=0.0)
    assert task.needs_proof
    task.proof = Proof(chats_below=3, commands_to=1, asked_s=1.0)

    assert taken(task) == [(INTERACTIONS, 0), (INTERACTIONS, 1)]
    assert task.is_held


def test_a_command_waits_for_interactions_that_may_come_before_it() -> None:
    task = Task(0)
    task.commands.extend(records(COMMANDS, [10]))
    task.commands.end = 1

    assert taken(task) == []

    task.interactions.extend(records(INTERACTIONS, [9]))

    assert taken(task) == [(INTERACTIONS, 0)]
    assert task.commands.position == 0

    task.interactions.end = 1

    assert taken(task) == [(COMMANDS, 0)]


def test_a_record_ends_the_belief_to_be_at_the_end() -> None:
    input_ = Input(0)
    input_.end = 0
    input_.extend(records(INTERACTIONS, [1]))

    assert not input_.is_at_end


def test_an_input_is_read_to_where_the_client_found_its_end_and_no_further() -> None:
    task = Task(0)
    task.interactions.extend(records(INTERACTIONS, [1]))
    task.interactions.end = 1
    task.commands.end = 0
    task.proof = Proof(chats_below=1, commands_to=0, asked_s=0.0)

    assert not task.interactions.is_read_to(1)  # read, but not taken

    taken(task)

    assert task.interactions.is_read_to(1)
    assert not task.interactions.is_read_to(2)  # there is more, of which the client has not heard


def test_the_position_is_after_the_last_record_taken_also_where_offsets_leap() -> None:
    task = Task(0)
    for offset in (3, 7):  # control records of transactions take offsets too
        task.interactions.extend([TapeRecord(INTERACTIONS, 0, offset, b"acme", b"", 1, [])])
    task.commands.end = 0
    task.proof = Proof(chats_below=8, commands_to=0, asked_s=0.0)

    assert taken(task) == [(INTERACTIONS, 3), (INTERACTIONS, 7)]
    assert task.interactions.position == 8


def test_the_position_at_the_end_is_the_end_past_control_records() -> None:
    input_ = Input(3)
    input_.end = 5

    assert input_.position == 5

    input_.extend([TapeRecord(INTERACTIONS, 0, 5, b"acme", b"", 1, [])])

    assert input_.position == 5


def test_a_task_that_is_restored_forgets_what_it_had_read() -> None:
    task = Task(0)
    task.restore()
    task.interactions.extend(records(INTERACTIONS, [1]))
    task.restore()

    assert not task.interactions.waiting


@pytest.mark.parametrize(
    ("way", "wrong"),
    [
        ([], Status.RUNNING),
        ([Status.RESTORING, Status.RUNNING], Status.CREATED),
        ([Status.CLOSED], Status.RESTORING),
        ([Status.CLOSED], Status.CLOSED),
    ],
)
def test_a_task_goes_only_where_the_drawing_has_an_arrow(way: list[Status], wrong: Status) -> None:
    task = Task(3)
    for status in way:
        task.transition_to(status)
    with pytest.raises(InvariantViolated, match="task 3 cannot go from"):
        task.transition_to(wrong)


def test_a_task_that_does_not_run_has_no_states() -> None:
    with pytest.raises(InvariantViolated, match="task 3 is created and has no states"):
        _ = Task(3).states
