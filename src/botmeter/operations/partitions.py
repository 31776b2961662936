"""The status of each partition: owner, failure, committed offsets, the extents of its topics, and its store."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event as Flag
from types import TracebackType
from typing import Final, Literal, Self

from botmeter.contracts.instants import millis
from botmeter.contracts.partition_notes import FailureNote, decode_note, has_begun, skip_command
from botmeter.contracts.rescues import RecordSkipped, Rescue
from botmeter.contracts.rules import RulesHistory
from botmeter.contracts.topics import Topic
from botmeter.kafka import clients, descriptions, questions
from botmeter.kafka.descriptions import Admin, GroupDescription
from botmeter.kafka.exactly_once import Note, Place, read_notes
from botmeter.kafka.rules_log import read_rules
from botmeter.settings.model import Settings

#: `FAILED`: it cannot continue until an operator rescues it. `standing`: no worker has it. `waiting`: a worker has it
#: and does not take its records. `running`: a worker has it, and no fault is known.
State = Literal["running", "waiting", "FAILED", "standing"]

#: Records that are not taken for longer than this are reported.
_WAITS_MS: Final = 10_000

_OFFSETS_GONE: Final = "its journal has records, but its inputs have no committed offsets"
_LOOK_AT_WORKERS: Final = "if it stays so for a minute, look at the workers' logs, and run: botmeter doctor"
_LOOK_AT_WORKER: Final = "if it stays so, look at /health and the log of its worker, and run: botmeter doctor"
_NO_WORKER: Final = "no worker is in the group"
_NO_OWNER: Final = "no worker has it: the group gives it to one within seconds, unless that cannot join"
_WAITS: Final = (
    "records have waited for more than 10 s: its worker restores it, is busy or held up, or died and is not missed yet"
)


@dataclass(frozen=True, slots=True)
class Extent:
    """A partition of a topic: its first offset, its last stable offset and its end."""

    begin: int
    stable: int
    end: int


@dataclass(frozen=True, slots=True)
class Committed:
    """The group's committed offsets of the inputs, by topic, None where there is none; and the note of a failure."""

    offsets: Mapping[str, int | None]
    note: FailureNote | None

    @property
    def is_whole(self) -> bool:
        """Whether both inputs have an offset."""
        return None not in self.offsets.values()


@dataclass(frozen=True, slots=True)
class Partition:
    """The status of one partition, from the cluster and this machine."""

    number: int
    #: The worker that the group assigned it to.
    owner: str | None
    committed: Committed
    #: Whether any worker is a member of the group.
    has_workers: bool
    #: Inputs, journal and snapshots by the topic's name.
    extents: Mapping[str, Extent]
    #: By input: the offset below which records arrived more than ten seconds ago.
    due: Mapping[str, int]
    journal: Extent
    rescues: tuple[Rescue, ...]
    store: Path

    @property
    def has_lost_its_offsets(self) -> bool:
        """Whether a worker would refuse it because its offsets are missing."""
        return self.journal.stable > 0 and not self.committed.is_whole

    @property
    def waits(self) -> bool:
        """Whether records have waited for more than ten seconds."""
        return any((self.committed.offsets[topic] or 0) < due for topic, due in self.due.items())

    @property
    def state(self) -> State:
        """The status in one word."""
        if self.committed.note is not None or self.has_lost_its_offsets:
            return "FAILED"
        if self.owner is None:
            return "standing"
        return "waiting" if self.waits else "running"

    @property
    def reason(self) -> str | None:
        """Why it does not run, None when it does."""
        if self.committed.note is not None:
            return self.committed.note.reason
        if self.has_lost_its_offsets:
            return _OFFSETS_GONE
        return {"standing": _NO_OWNER if self.has_workers else _NO_WORKER, "waiting": _WAITS}.get(self.state)

    @property
    def remedy(self) -> str | None:
        """What an operator can do, None when nothing is needed."""
        if self.is_skipped:
            return "that record is to be skipped: its worker continues within seconds, or as soon as one runs"
        if self.committed.note is not None:
            return self.committed.note.remedy
        if self.has_lost_its_offsets:
            return f"check BOTMETER_GROUP; then run: botmeter partition restore-from {self.number} journal"
        if self.owner is None:
            return _LOOK_AT_WORKERS if self.has_workers else "run: botmeter worker"
        return _LOOK_AT_WORKER if self.waits else None

    @property
    def is_skipped(self) -> bool:
        """Whether an operator has skipped the record that it failed at, and no worker has processed that yet."""
        remedy = "" if self.committed.note is None else self.committed.note.remedy
        return any(remedy.endswith(skip_command(self.number, each.topic, each.offset)) for each in self.awaited)

    def age_s(self, now_ms: int) -> int | None:
        """Returns for how long it has been failed, in seconds; None when that is unknown."""
        note = self.committed.note
        return None if note is None else max(0, now_ms - millis(datetime.fromisoformat(note.since))) // 1000

    @property
    def awaited(self) -> tuple[RecordSkipped, ...]:
        """The records that are to be skipped and that no worker has processed yet."""
        taken = self.committed.offsets
        return tuple(
            each
            for each in self.rescues
            if isinstance(each, RecordSkipped) and each.offset >= (taken.get(each.topic) or 0)
        )


class PartitionDesk:
    """Reads the status of one installation's partitions. Used by one thread."""

    def __init__(self, settings: Settings, admin: Admin) -> None:
        """Raises ConfigurationError for a wrong option of the clients."""
        self.settings, self.admin, self.topics = settings, admin, settings.topics()
        self._closing = ExitStack()
        self.reader = self._closing.enter_context(clients.make_consumer(self.reading))
        self._query_client = self._closing.enter_context(clients.make_consumer(clients.query_config(self.reading)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.close()

    @property
    def reading(self) -> clients.Config:
        """The options of a client that reads and queries without joining the group."""
        settings = self.settings
        return clients.reader_config(settings.kafka, settings.bootstrap_servers, settings.group)

    def partitions(self, numbers: Iterable[int]) -> list[Partition]:
        """Returns these partitions. Raises ClusterError, Retriable."""
        wanted, topics = list(numbers), self.topics
        group = descriptions.describe_group(self.admin, self.settings.group)
        owners = self._owners(group)
        committed = self.committed(wanted)
        described = (topics.interactions, topics.commands, topics.journal, topics.snapshots)
        extents = {topic.name: self._extents(topic, wanted) for topic in described}
        since_ms = time.time_ns() // 1_000_000 - _WAITS_MS
        due = {
            topic.name: questions.offsets_at(self.admin, topic.name, wanted, since_ms)
            for topic in (topics.interactions, topics.commands)
        }
        history = self.history()
        return [
            Partition(
                number,
                owners.get(number),
                committed[number],
                bool(group.members),
                {name: of_topic[number] for name, of_topic in extents.items()},
                {name: of_topic[number] for name, of_topic in due.items()},
                extents[topics.journal.name][number],
                history.rescues_of(number),
                self.settings.data_dir / f"partition-{number}",
            )
            for number in wanted
        ]

    def committed(self, numbers: Iterable[int]) -> dict[int, Committed]:
        """Returns the committed offsets, without those of open transactions. Raises ClusterError, Retriable."""
        wanted = list(numbers)
        return self._committed_in(read_notes(self._query_client, self._places(wanted)), wanted)

    def settled(self, number: int) -> Committed:
        """Returns the committed offsets of a partition, once no open transaction contains newer ones.

        Raises ClusterError, Retriable when one stays open.
        """
        return self._committed_in(read_notes(self.reader, self._places([number])), [number])[number]

    def _places(self, numbers: list[int]) -> list[Place]:
        return [
            (topic.name, number) for topic in (self.topics.interactions, self.topics.commands) for number in numbers
        ]

    def _committed_in(self, notes: Mapping[Place, Note], wanted: list[int]) -> dict[int, Committed]:
        inputs = (self.topics.interactions.name, self.topics.commands.name)
        committed = {}
        for number in wanted:
            of_inputs = {name: notes.get((name, number)) for name in inputs}
            first = of_inputs[inputs[0]]
            offsets = {name: None if note is None else note.offset for name, note in of_inputs.items()}
            if first is not None and not has_begun(first.text):
                offsets[inputs[0]] = None
            committed[number] = Committed(offsets, None if first is None else decode_note(first.text))
        return committed

    def history(self) -> RulesHistory:
        """Returns the rules and the rescues; waits for one that is being recorded. Raises ClusterError, Retriable."""
        return read_rules(self.reader, self.admin, self.topics.rules.name, self.settings.rules(), Flag())

    def _owners(self, group: GroupDescription) -> dict[int, str]:
        return {
            number: member
            for member, places in group.members.items()
            for topic, number in places
            if topic == self.topics.interactions.name
        }

    def _extents(self, topic: Topic, numbers: list[int]) -> dict[int, Extent]:
        begins = questions.begin_offsets(self.admin, topic.name, numbers)
        stable = questions.stable_offsets(self.admin, topic.name, numbers)
        ends = questions.end_offsets(self.admin, topic.name, numbers)
        return {number: Extent(begins[number], stable[number], ends[number]) for number in numbers}
