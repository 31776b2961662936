"""Topics in memory, written as a worker writes them, one batch for each record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from botmeter.contracts.rules import RulesChange
from botmeter.contracts.topics import Topics, partition_of
from botmeter.domain.prices import PriceBook, Rules
from botmeter.metering.pipeline import Decided, Meter
from botmeter.metering.records import Output, Record
from botmeter.metering.state import PartitionState
from botmeter.metering.store import MemoryStore, StoreMark, StoreUpdate
from botmeter.replay.tape import TapeRecord
from botmeter.simulation.accounts import population
from botmeter.simulation.records import SimulatedRecord
from botmeter.simulation.traffic import Mix, Traffic

TOPICS = Topics.named()
PARTITIONS = 2
#: A topic's name and a partition.
Place = tuple[str, int]
NOW_MS = 1_795_000_000_000
#: So that accounts run out.
SMALL = Rules(PriceBook(pack_sessions=20, complimentary_sessions=10))
RULES = Rules()
_MARK = StoreMark(journal_offset=0, snapshot_floor=0, topic_id="", written_at=0)


class Written:
    """All topics of a small cluster."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.records: defaultdict[Place, list[TapeRecord]] = defaultdict(list)
        #: By partition, those after the first rules.
        self.changes: defaultdict[int, list[RulesChange]] = defaultdict(list)
        self._meters = {number: _Step(number, rules) for number in range(PARTITIONS)}

    @property
    def ends(self) -> dict[Place, int]:
        return {
            (topic.name, number): len(self.records[topic.name, number])
            for topic in TOPICS.all()
            for number in range(PARTITIONS)
        }

    def batches(self, topic: str, partition: int, start: int = 0, end: int | None = None) -> Iterator[Sequence[Record]]:
        """In small batches, as a broker gives them."""
        records = [record for record in self.records[topic, partition] if start <= record.offset()]
        for begin in range(0, len(records), 7):
            yield [record for record in records[begin : begin + 7] if end is None or record.offset() < end]

    def copy(self) -> Written:
        """The records alone: nothing can be published any more."""
        copy = Written(self.rules)
        for place, records in self.records.items():
            copy.records[place] = list(records)
        copy.changes.update(self.changes)
        return copy

    def publish(self, records: Iterable[SimulatedRecord], at: int = NOW_MS) -> None:
        """Each is taken by the worker before the next comes."""
        for record in records:
            partition = partition_of(record.key or b"", PARTITIONS) if record.partition is None else record.partition
            taken = self._append(record.topic, partition, record.key, record.value, at)
            for output in self._meters[partition].take(taken):
                self._write(output, partition, at)

    def follow(self, rules: Rules) -> None:
        """Other rules from here on; the worker is restored cold, as for a longer memory."""
        for partition, step in self._meters.items():
            interactions, journal = (
                len(self.records[topic.name, partition]) for topic in (TOPICS.interactions, TOPICS.journal)
            )
            self.changes[partition].append(RulesChange(rules, interactions, journal))
            step.follow(rules)

    def tick(self, at: int) -> None:
        for partition, step in self._meters.items():
            for output in step.tick(at):
                self._write(output, partition, at)

    def all(self, topic: str) -> list[TapeRecord]:
        return [record for number in range(PARTITIONS) for record in self.records[topic, number]]

    def _write(self, output: Output, partition: int, at: int) -> None:
        timestamp = output.timestamp or at
        headers = list(output.headers)
        self._append(output.topic, partition, output.key, output.value, timestamp, headers)

    def _append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        at: int,
        headers: list[tuple[str, bytes | None]] | None = None,
    ) -> TapeRecord:
        place = self.records[topic, partition]
        record = TapeRecord(topic, partition, len(place), key, value, at, headers or [])
        place.append(record)
        return record


class _Step:
    """The pure step of one partition, a batch for each record."""

    def __init__(self, partition: int, rules: Rules) -> None:
        self._store = MemoryStore()
        # Nothing is forgotten, whatever the rules come to be.
        state = PartitionState(self._store, Rules(late_limit_ms=10**15), 1_000_000)
        self._meter = Meter(partition, PARTITIONS, state, TOPICS, rules, next_offset=0)

    def follow(self, rules: Rules) -> None:
        self._meter.follow_rules(rules)

    def take(self, record: TapeRecord) -> list[Output]:
        with self._meter.batch() as decided:
            if record.topic() == TOPICS.commands.name:
                self._meter.take_command(record)
            else:
                self._meter.take_interactions([record])
        return self._kept(decided)

    def tick(self, at: int) -> list[Output]:
        with self._meter.batch() as decided:
            self._meter.tick(at)
        return self._kept(decided)

    def _kept(self, decided: Decided) -> list[Output]:
        self._store.write(StoreUpdate({}, decided.changes.windows, decided.changes.chats, _MARK))
        return decided.outputs


def some_traffic(
    count: int = 20_000,
    mix: Mix = Mix(bad_share=0.05, command_share=0.003),  # noqa: B008
    rules: Rules = RULES,
) -> Written:
    written = Written(rules)
    traffic = Traffic(1, population(12), TOPICS, PARTITIONS, mix)
    written.publish(traffic.opening())
    written.publish(traffic.take(count, NOW_MS))
    return written
