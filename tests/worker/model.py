"""What the outputs must be: the inputs, in their one order, through the pure step, one record at a time.

The order of a backlog is the broker's time; otherwise it is what the journal says of it (`J4`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Message

from botmeter.contracts.encoding import decode_event
from botmeter.contracts.topics import Topics
from botmeter.domain.account import Account, evolve
from botmeter.domain.events import CommandCause, Event, TimerCause
from botmeter.domain.prices import Rules
from botmeter.metering.pipeline import Meter
from botmeter.metering.records import Header, Output, Record
from botmeter.metering.state import PartitionState
from botmeter.metering.store import MemoryStore, StoreMark, StoreUpdate

from .cluster import Cluster, Records

#: A record, or the moment (UTC ms) of a tick that rolled a cycle.
Step = Record | int
#: Key, value, headers, and the timestamp where it is the event's.
Written = tuple[bytes | None, bytes | None, list[Header], int | None]


@dataclass
class Expected:
    """What one partition's outputs must be."""

    #: Of all topics but the balances, in order.
    outputs: dict[str, list[Written]]
    #: Every balance there can be, by key and version; a worker writes those at the ends of its batches.
    balances: dict[tuple[bytes | None, int], Written] = field(default_factory=dict)
    last_balances: dict[bytes | None, Written] = field(default_factory=dict)


def by_time(interactions: Sequence[Record], commands: Sequence[Record]) -> Sequence[Step]:
    """The order of a backlog; the tests see to it that no two timestamps of the inputs are equal."""
    return sorted([*interactions, *commands], key=lambda record: record.timestamp()[1])


def by_journal(interactions: Sequence[Record], commands: Sequence[Record], journal: Sequence[Message]) -> list[Step]:
    """The order that the journal tells: before which interaction each command and each tick was taken.

    A command that left no event had no effect; it goes right after the command before it.
    """
    steps: list[Step] = []
    said, asked = list(interactions), list(commands)

    def say_up_to(offset: int) -> None:
        while said and said[0].offset() < offset:
            steps.append(said.pop(0))

    def ask_up_to(offset: int) -> None:
        while asked and asked[0].offset() <= offset:
            steps.append(asked.pop(0))

    for event in map(decode, journal):
        if isinstance(event.cause, CommandCause) and asked and asked[0].offset() <= event.cause.offset:
            ask_up_to(event.cause.offset - 1)
            say_up_to(event.cause.before_offset)
            ask_up_to(event.cause.offset)
        elif isinstance(event.cause, TimerCause):
            say_up_to(event.cause.before_offset)
            if steps[-1:] != [event.at]:
                steps.append(event.at)
    return [*steps, *asked, *said]


def decode(message: Message) -> Event:
    return decode_event(message.value() or b"")


def expected(topics: Topics, rules: Rules, partition: int, partitions: int, steps: Iterable[Step]) -> Expected:
    """What must come of these steps."""
    found = Expected({topic.name: [] for topic in topics.all() if topic.direction == "out"})
    del found.outputs[topics.balances.name]
    store = MemoryStore()
    state = PartitionState(store, rules, cache_windows=1_000_000)
    meter = Meter(partition, partitions, state, topics, rules, next_offset=0)
    for step in steps:
        meter.begin()
        if isinstance(step, int):
            meter.tick(step)
        elif step.topic() == topics.interactions.name:
            meter.take_interactions([step])
        else:
            meter.take_command(step)
        changes = meter.state.changes
        for output in meter.end().outputs:
            _add(found, output, topics)
        store.write(StoreUpdate({}, changes.windows, changes.chats, StoreMark(0, 0, "", 0)))
    return found


def _add(found: Expected, output: Output, topics: Topics) -> None:
    written = (output.key, output.value, list(output.headers), output.timestamp)
    if output.topic == topics.balances.name:
        found.balances[output.key, json.loads(output.value or b"")["version"]] = written
        found.last_balances[output.key] = written
    else:
        found.outputs[output.topic].append(written)


def written(message: Message, *, with_timestamp: bool) -> Written:
    headers: Any = message.headers() or []
    return message.key(), message.value(), [*headers], message.timestamp()[1] if with_timestamp else None


def require_outputs_of_a_backlog(cluster: Cluster) -> None:
    """The outputs are those of the inputs taken by the broker's time."""
    found = cluster.read(*cluster.topics.all())
    for partition in range(cluster.partitions):
        interactions, commands = _inputs(found, cluster.topics, partition)
        _Comparison(cluster, found, partition, by_time(interactions, commands)).require_same()


def require_outputs(cluster: Cluster) -> None:
    """The outputs are those of the inputs in the order that the journal tells."""
    found = cluster.read(*cluster.topics.all())
    for partition in range(cluster.partitions):
        interactions, commands = _inputs(found, cluster.topics, partition)
        steps = by_journal(interactions, commands, found[cluster.topics.journal.name, partition])
        _Comparison(cluster, found, partition, steps).require_same()


def _inputs(found: Records, topics: Topics, partition: int) -> tuple[list[Record], list[Record]]:
    """The client's messages have the face of records."""
    return found[topics.interactions.name, partition], found[topics.commands.name, partition]  # type: ignore[return-value]


class _Comparison:
    """What was found of one partition, beside what these steps must come to."""

    def __init__(self, cluster: Cluster, found: Records, partition: int, steps: Sequence[Step]) -> None:
        self._topics, self._partition = cluster.topics, partition
        self._found = {topic: messages for (topic, number), messages in found.items() if number == partition}
        self._wanted = expected(cluster.topics, cluster.settings.rules(), partition, cluster.partitions, steps)

    def require_same(self) -> None:
        for topic, wanted in self._wanted.outputs.items():
            is_journal = topic == self._topics.journal.name
            found = [written(message, with_timestamp=is_journal) for message in self._found[topic]]
            if topic == self._topics.dead_letters.name:  # the journal does not tell the order between the two inputs
                found, wanted = sorted(found, key=_source), sorted(wanted, key=_source)  # noqa: PLW2901
            self._require_same_records(topic, found, wanted)
        self._require_balances()
        self._require_sound_journal()

    def _require_same_records(self, topic: str, found: list[Written], wanted: list[Written]) -> None:
        """Tells the first difference alone, since the whole would be megabytes."""
        place = next((i for i, pair in enumerate(zip(found, wanted, strict=False)) if pair[0] != pair[1]), None)
        if place is not None:
            raise AssertionError(f"{topic}-{self._partition}, output {place}: {found[place]}, not {wanted[place]}")
        surplus = (found if len(found) > len(wanted) else wanted)[min(len(found), len(wanted)) :]
        assert len(found) == len(wanted), f"{topic}-{self._partition}, too many or too few: {surplus[:2]}"

    def _require_balances(self) -> None:
        """Balances of an account follow its version; each is what the account stood at then, the last is the last."""
        last: dict[bytes | None, tuple[int, Written]] = {}
        for message in self._found[self._topics.balances.name]:
            balance: dict[str, Any] = json.loads(message.value() or b"")
            found, version = written(message, with_timestamp=False), balance["version"]
            assert version > last.get(message.key(), (0, None))[0], f"{balance} came after a later or equal one"
            assert found == self._wanted.balances[message.key(), version]
            last[message.key()] = version, found
        assert {key: found for key, (_, found) in last.items()} == self._wanted.last_balances

    def _require_sound_journal(self) -> None:
        """Versions without gaps (`J1`), and never more sessions than there were (`T6`)."""
        accounts: dict[str, Account] = {}
        for event in map(decode, self._found[self._topics.journal.name]):
            account = accounts[event.account_id] = evolve(accounts.get(event.account_id), event)
            past = account.past_cycle
            assert account.allowance.used <= account.allowance.total
            assert past is None or past.used <= past.total


def _source(dead_letter: Written) -> bytes:
    """The topic that a dead letter came from."""
    return [value or b"" for name, value in dead_letter[2] if name == "__streams.errors.topic"][-1]
