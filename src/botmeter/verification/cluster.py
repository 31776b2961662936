"""The part of a cluster that can be verified: its bounds, and the records between them."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from threading import Event as Flag
from types import TracebackType
from typing import Final, Self, cast

from botmeter.contracts import catalogue
from botmeter.contracts.rules import RulesHistory
from botmeter.contracts.topics import Topic, Topics
from botmeter.domain.account import Account
from botmeter.domain.prices import Rules
from botmeter.errors import ClusterError, ConfigurationError
from botmeter.kafka import clients, questions
from botmeter.kafka.reader import RestoreStopped as ReadStopped
from botmeter.kafka.reader import committed_records
from botmeter.kafka.rules_log import read_rules
from botmeter.verification.records import Batches, Record
from botmeter.verification.sequence import ALL, FIRST, LAST, Limits
from botmeter.verification.witness import Ends

#: Between two checks of an open transaction.
_PAUSE_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach the cluster, with the workers' settings for it."""

    kafka: Mapping[str, str] = field(repr=False)
    bootstrap_servers: str
    group: str
    partitions: int
    #: A transaction that is open for longer is taken as hanging.
    patience_s: float


@dataclass(frozen=True, slots=True)
class Hanging:
    """A transaction that does not end: readers of the partition wait at `offset`."""

    topic: str
    partition: int
    offset: int
    high_watermark: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds up to which each partition can be verified now."""

    ends: Mapping[int, Ends]
    #: By topic and partition: the first record that still exists, and the offset at which reading ends.
    first: Mapping[tuple[str, int], int]
    upper: Mapping[tuple[str, int], int]
    hanging: Sequence[Hanging]


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The accounts in a partition's snapshots; they contain every event of the journal below `floor`."""

    accounts: Mapping[str, Account]
    floor: int


class VerifiedCluster:
    """Queries and reads a cluster. Used by one thread; setting `stop` ends a read that is under way."""

    def __init__(self, access: Access, topics: Topics) -> None:
        self._access, self._topics = access, topics
        self._numbers = range(access.partitions)
        self._closing = ExitStack()
        self.stop = Flag()
        admin = clients.admin_config(access.kafka, access.bootstrap_servers)
        self._admin = self._closing.enter_context(clients.make_admin(admin))
        reading = clients.reader_config(access.kafka, access.bootstrap_servers, access.group)
        self._offsets_client = self._closing.enter_context(clients.make_consumer(clients.query_config(reading)))
        # One reader for each topic, so that each is read only as fast as it is compared.
        self._readers = {
            topic.name: self._closing.enter_context(clients.make_consumer(reading))
            for topic in (*self._verified, topics.snapshots, topics.rules)
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.close()

    @property
    def _outputs(self) -> tuple[Topic, ...]:
        topics = self._topics
        # The journal first: see `bounds`.
        return (
            topics.journal, topics.balances, topics.alerts, topics.handoffs, topics.command_results,
            topics.dead_letters,
        )  # fmt: skip

    @property
    def _verified(self) -> tuple[Topic, ...]:
        return (self._topics.interactions, self._topics.commands, *self._outputs)

    def first_offsets(self, topic: Topic, since_ms: int | None) -> Mapping[int, int]:
        """By partition: the offset of the first existing record, or of the first at or after `since_ms` (UTC ms)."""
        if since_ms is None:
            return questions.begin_offsets(self._admin, topic.name, self._numbers)
        return questions.offsets_at(self._admin, topic.name, self._numbers, since_ms)

    def bounds(self) -> Bounds:
        """The explicit end of a verification, while workers may continue.

        1. the ends of the outputs; wait until all transactions that are open there have ended
        2. the inputs' committed offsets: the outputs below step 1 follow from inputs below these
        3. the end of the journal, waiting likewise, and then the ends of the other outputs: all outputs of the inputs
           below step 2, and of the journal read, lie below these

        A transaction that is open for longer than `Access.patience_s` hangs: its topic is read up to there, and no
        output behind it is reported as missing.
        """
        watermarks = {topic.name: self._ends(topic) for topic in self._verified}
        hanging = self._await_decided(watermarks)
        taken = self._taken(watermarks[self._topics.journal.name])
        journal = self._topics.journal
        upper = {journal.name: self._ends(journal)}
        hanging |= self._await_decided(upper, excluded=hanging)
        upper |= {topic.name: self._ends(topic) for topic in self._outputs if topic is not journal}
        hanging |= self._await_decided(upper, excluded=hanging)
        first = {
            (topic.name, number): offset
            for topic in self._verified
            for number, offset in self.first_offsets(topic, None).items()
        }
        return Bounds(
            {number: self._ends_of(number, taken, watermarks, first, hanging) for number in self._numbers},
            first,
            self._readable(upper, taken, hanging),
            [Hanging(topic, number, *offsets) for (topic, number), offsets in hanging.items()],
        )

    def rules(self, unrecorded: Rules) -> RulesHistory:
        """The rules recorded in the log, and `unrecorded` before the first record. Raises ClusterError, Retriable."""
        name = self._topics.rules.name
        return read_rules(self._readers[name], self._admin, name, unrecorded, self.stop)

    @contextmanager
    def journal(self, partition: int, start: int, end: int) -> Iterator[Batches]:
        """The journal between two offsets."""
        with closing(self._read(self._topics.journal.name, partition, start, end)) as batches:
            yield batches

    def snapshots(self, history: RulesHistory) -> Mapping[int, Snapshots]:
        """The snapshots of each partition. Call it before `bounds`, which then lie beyond them.

        Snapshots from before an accepted loss are ignored.

        Raises ClusterError where one cannot be read.
        """
        topic = self._topics.snapshots
        ends = questions.stable_offsets(self._admin, topic.name, self._numbers)
        firsts, topic_id = self.first_offsets(topic, None), self.topic_id(topic)
        losses = {number: history.loss(number) for number in self._numbers}
        starts = {
            number: max(firsts[number], 0 if loss is None else loss.reaches_to(topic.name, topic_id))
            for number, loss in losses.items()
        }
        return {number: self._snapshots(topic.name, number, starts[number], ends[number]) for number in self._numbers}

    def topic_id(self, topic: Topic) -> str:
        """Kafka's id of a topic."""
        return questions.topic_ids(self._admin, [topic.name])[topic.name]

    def _snapshots(self, topic: str, number: int, start: int, end: int) -> Snapshots:
        accounts: dict[str, Account] = {}
        floor = 0
        for batch in self._read(topic, number, start, end):
            for record in batch:
                value = record.value()
                if value is None:
                    continue
                try:
                    account, journal_offset = catalogue.SNAPSHOTS.decode(value)
                except ValueError as error:
                    raise ClusterError(f"{topic}-{number}@{record.offset()}: {error}") from error
                floor = max(floor, journal_offset)
                if account.version > getattr(accounts.get(account.account_id), "version", 0):
                    accounts[account.account_id] = account
        return Snapshots(accounts, floor)

    @contextmanager
    def records(self, partition: int, resume_at: Mapping[str, int], bounds: Bounds) -> Iterator[Mapping[str, Batches]]:
        """The committed records of each topic of a partition, from `resume_at` on, within the bounds."""
        with ExitStack() as open_:
            streams: dict[str, Batches] = {}
            for topic in (each.name for each in self._verified):
                start, end = max(resume_at[topic], bounds.first[topic, partition]), bounds.upper[topic, partition]
                streams[topic] = open_.enter_context(closing(self._read(topic, partition, start, end)))
            yield streams

    # --- Offsets ---

    def _ends(self, topic: Topic) -> dict[int, int]:
        return questions.end_offsets(self._admin, topic.name, self._numbers)

    def _taken(self, journal_ends: Mapping[int, int]) -> dict[tuple[str, int], int]:
        """The offsets below which the group has taken all inputs. Raises ConfigurationError when it never took any."""
        names = (self._topics.interactions.name, self._topics.commands.name)
        places = [(name, number) for name in names for number in self._numbers]
        committed = questions.committed_offsets(self._offsets_client, places)
        for number in self._numbers:
            if journal_ends[number] and all(committed.get((name, number)) is None for name in names):
                raise ConfigurationError(
                    f"the group {self._access.group} has committed no offset of partition {number}, although its "
                    "journal has records; is BOTMETER_GROUP the workers' group?"
                )
        return {place: committed.get(place) or 0 for place in places}

    def _await_decided(
        self, offsets: Mapping[str, Mapping[int, int]], excluded: Iterable[tuple[str, int]] = ()
    ) -> dict[tuple[str, int], tuple[int, int]]:
        """Waits until all transactions below these offsets have ended.

        Returns the partitions where one hangs, with the last stable offset and the given one.
        """
        deadline = time.monotonic() + self._access.patience_s
        open_ = {
            (topic, number): (0, end)
            for topic, ends in offsets.items()
            for number, end in ends.items()
            if (topic, number) not in excluded
        }
        while True:
            for topic in {topic for topic, _ in open_}:
                numbers = [number for name, number in open_ if name == topic]
                for number, stable in questions.stable_offsets(self._admin, topic, numbers).items():
                    end = open_.pop((topic, number))[1]
                    if stable < end:
                        open_[topic, number] = (stable, end)
            if not open_ or time.monotonic() > deadline:
                return open_
            if self.stop.is_set():
                raise ReadStopped("verification was stopped")
            time.sleep(_PAUSE_S)

    def _ends_of(
        self,
        number: int,
        taken: Mapping[tuple[str, int], int],
        watermarks: Mapping[str, Mapping[int, int]],
        first: Mapping[tuple[str, int], int],
        hanging: Mapping[tuple[str, int], tuple[int, int]],
    ) -> Ends:
        lower: dict[str, int] = {}
        limits: dict[str, Limits] = {}
        for topic in (output.name for output in self._outputs):
            lower[topic] = min(watermarks[topic][number], hanging.get((topic, number), (sys.maxsize, 0))[0])
            is_trimmed, is_cut = first[topic, number] > 0, (topic, number) in hanging
            limits[topic] = (FIRST if is_trimmed else ALL) | (LAST if is_cut else ALL)
        return Ends(
            taken[self._topics.interactions.name, number], taken[self._topics.commands.name, number], lower, limits
        )

    def _readable(
        self,
        upper: Mapping[str, Mapping[int, int]],
        taken: Mapping[tuple[str, int], int],
        hanging: Mapping[tuple[str, int], tuple[int, int]],
    ) -> dict[tuple[str, int], int]:
        """By topic and partition: the offset at which reading ends, at the latest at a hanging transaction."""
        outputs = {(topic, number): end for topic, ends in upper.items() for number, end in ends.items()}
        stable = {place: offset for place, (offset, _) in hanging.items()}
        return {place: min(end, stable.get(place, end)) for place, end in {**outputs, **taken}.items()}

    # --- Reading ---

    def _read(self, topic: str, partition: int, start: int, end: int) -> Generator[Sequence[Record], None, None]:
        """Close it if it is not read to its end: one reader serves all partitions of a topic."""
        with closing(committed_records(self._readers[topic], topic, partition, start, end, self.stop)) as chunks:
            for chunk in chunks:
                # Without an error a message is a record: it has a topic, an offset and a timestamp.
                records = cast("Sequence[Record]", chunk)
                yield records if records[-1].offset() < end else [each for each in records if each.offset() < end]
