"""How each partition stands: who has it, why it cannot go on, what is committed, what its topics and store hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event as Flag
from types import TracebackType
from typing import Final, Literal, Self

from botmeter.contracts.instants import millis
from botmeter.contracts.partition_notes import Stands, decode_note, has_begun
from botmeter.contracts.rescues import RecordSkipped, Rescue
from botmeter.contracts.rules import RulesHistory
from botmeter.contracts.topics import Topic
from botmeter.kafka import clients, descriptions, questions
from botmeter.kafka.descriptions import Admin
from botmeter.kafka.exactly_once import Note, Place, read_notes
from botmeter.kafka.rules_log import read_rules
from botmeter.settings.model import Settings

#: `FAILED`: it cannot go on before somebody rescues it. `standing`: no worker has it. `running`: one has it, and
#: nothing is known against that.
State = Literal["running", "FAILED", "standing"]

_OFFSETS_GONE: Final = "its journal has records, but its inputs have no committed offsets"


@dataclass(frozen=True, slots=True)
class Extent:
    """A partition of a topic: the first offset there is, where readers of what is committed wait, and the end."""

    begin: int
    stable: int
    end: int


@dataclass(frozen=True, slots=True)
class Committed:
    """What the group has committed of the inputs, by topic, None where nothing; and the note that is left there."""

    offsets: Mapping[str, int | None]
    note: Stands | None

    @property
    def is_whole(self) -> bool:
        """Whether there is an offset for both."""
        return None not in self.offsets.values()


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition, as the cluster and this machine tell of it."""

    number: int
    #: The worker that the group gives it to.
    owner: str | None
    committed: Committed
    #: Inputs, journal and snapshots by the topic's name.
    extents: Mapping[str, Extent]
    journal: Extent
    rescues: tuple[Rescue, ...]
    store: Path

    @property
    def has_lost_its_offsets(self) -> bool:
        """Whether a worker would refuse it for that."""
        return self.journal.end > 0 and not self.committed.is_whole

    @property
    def state(self) -> State:
        """In a word."""
        if self.committed.note is not None or self.has_lost_its_offsets:
            return "FAILED"
        return "standing" if self.owner is None else "running"

    @property
    def reason(self) -> str | None:
        """Why it failed."""
        if self.committed.note is not None:
            return self.committed.note.reason
        return _OFFSETS_GONE if self.has_lost_its_offsets else None

    @property
    def remedy(self) -> str | None:
        """What to do about it."""
        if self.committed.note is not None:
            return self.committed.note.remedy
        if self.has_lost_its_offsets:
            return f"check BOTMETER_GROUP; then run: botmeter partition restore-from {self.number} journal"
        return None if self.owner is not None else "run: botmeter worker"

    def age_s(self, now_ms: int) -> int | None:
        """For how long it has failed, in seconds, as far as that is known."""
        note = self.committed.note
        return None if note is None else max(0, now_ms - millis(datetime.fromisoformat(note.since))) // 1000

    @property
    def awaited(self) -> tuple[RecordSkipped, ...]:
        """The records that are to be skipped and that no worker has come to yet."""
        taken = self.committed.offsets
        return tuple(
            each
            for each in self.rescues
            if isinstance(each, RecordSkipped) and each.offset >= (taken.get(each.topic) or 0)
        )


class PartitionDesk:
    """Asks one installation about its partitions. Used in one thread."""

    def __init__(self, settings: Settings, admin: Admin) -> None:
        """Raises ConfigurationError for a wrong option of the clients."""
        self.settings, self.admin, self.topics = settings, admin, settings.topics()
        self._closing = ExitStack()
        self.reader = self._closing.enter_context(clients.make_consumer(self.reading))
        self._asker = self._closing.enter_context(clients.make_consumer(clients.asking_config(self.reading)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.close()

    @property
    def reading(self) -> clients.Config:
        """Of a client that reads or asks, and is no member of the group."""
        settings = self.settings
        return clients.reader_config(settings.kafka, settings.bootstrap_servers, settings.group)

    def partitions(self, numbers: Iterable[int]) -> list[Partition]:
        """These partitions. Raises ClusterError, Retriable."""
        wanted, topics = list(numbers), self.topics
        owners = self._owners()
        committed = self.committed(wanted)
        looked_at = (topics.interactions, topics.commands, topics.journal, topics.snapshots)
        extents = {topic.name: self._extents(topic, wanted) for topic in looked_at}
        history = self.history()
        return [
            Partition(
                number,
                owners.get(number),
                committed[number],
                {name: of_topic[number] for name, of_topic in extents.items()},
                extents[topics.journal.name][number],
                history.rescues_of(number),
                self.settings.data_dir / f"partition-{number}",
            )
            for number in wanted
        ]

    def committed(self, numbers: Iterable[int]) -> dict[int, Committed]:
        """What the group has committed; of a transaction that is open, not yet. Raises ClusterError, Retriable."""
        wanted = list(numbers)
        return self._told(read_notes(self._asker, self._places(wanted)), wanted)

    def settled(self, number: int) -> Committed:
        """What the group has committed of a partition, once no transaction holds other offsets of it.

        Raises ClusterError, Retriable where one stays open.
        """
        return self._told(read_notes(self.reader, self._places([number])), [number])[number]

    def _places(self, numbers: list[int]) -> list[Place]:
        return [
            (topic.name, number) for topic in (self.topics.interactions, self.topics.commands) for number in numbers
        ]

    def _told(self, notes: Mapping[Place, Note], wanted: list[int]) -> dict[int, Committed]:
        inputs = (self.topics.interactions.name, self.topics.commands.name)
        found = {}
        for number in wanted:
            of_inputs = {name: notes.get((name, number)) for name in inputs}
            told = of_inputs[inputs[0]]
            offsets = {name: None if note is None else note.offset for name, note in of_inputs.items()}
            if told is not None and not has_begun(told.text):
                offsets[inputs[0]] = None
            found[number] = Committed(offsets, None if told is None else decode_note(told.text))
        return found

    def history(self) -> RulesHistory:
        """The rules and the rescues; waits for one that is being recorded. Raises ClusterError, Retriable."""
        return read_rules(self.reader, self.admin, self.topics.rules.name, self.settings.rules(), Flag())

    def _owners(self) -> dict[int, str]:
        group = descriptions.describe_group(self.admin, self.settings.group)
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
