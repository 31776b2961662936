"""The stage on which all engines play: one embedded Apache Kafka, its topics, and the backlogs written once a run."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.cimpl import NewTopic

from botmeter.contracts.topics import Topic, Topics
from botmeter.embedded import EmbeddedKafka
from botmeter.kafka import clients
from botmeter.kafka.questions import end_offsets
from botmeter.kafka.topic_setup import create_topics

from .traffic import Accounts, Keyed, Mix, interactions

#: Waiting for the broker, once everything was handed to the client.
FLUSH_TIMEOUT_S: Final = 120.0
ANSWER_TIMEOUT_S: Final = 10.0
READ_AT_ONCE: Final = 10_000
#: Large batches: the backlog is to be there soon, and no engine is measured meanwhile.
WRITING: Final = {
    "linger.ms": "50",
    "batch.size": "1000000",
    "message.timeout.ms": "120000",
    "log_level": "3",  # that a new broker asks the first producer to come back is no news
}


@dataclass(frozen=True)
class Backlog:
    """Inputs that wait to be read, the same for every engine."""

    interactions: str
    commands: str
    partitions: int
    records: int
    mix: Mix


class Stage:
    """A broker of its own. A context manager: broker and data are gone when the block ends."""

    def __init__(self, directory: Path) -> None:
        """`directory` takes the state of the engines."""
        self.directory = directory
        self._closing = ExitStack()
        self._backlogs: dict[tuple[Mix, int, int], Backlog] = {}
        self._numbers = 0

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self.broker = opening.enter_context(EmbeddedKafka(report=print))
            self._admin = opening.enter_context(clients.make_admin(clients.admin_config({}, self.bootstrap_servers)))
            self._closing = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.close()

    @property
    def bootstrap_servers(self) -> str:
        """Where engines find the broker."""
        return self.broker.bootstrap_servers

    def fresh_name(self, what: str) -> str:
        """A name, for topics, groups and directories, that nothing of this run has yet."""
        self._numbers += 1
        return f"{what}-{self._numbers}"

    def backlog(self, mix: Mix, records: int, partitions: int) -> Backlog:
        """Inputs of this kind; written when first asked for."""
        asked = (mix, records, partitions)
        if asked not in self._backlogs:
            self._backlogs[asked] = self.write_backlog(mix, records, partitions)
        return self._backlogs[asked]

    def write_backlog(self, mix: Mix, records: int, partitions: int) -> Backlog:
        """Inputs of this kind, in topics of their own."""
        name = self.fresh_name(mix.name)
        topics = Topics.named(f"{name}.", f"{name}.interactions", f"{name}.commands")
        self.create([topics.interactions, topics.commands], partitions)
        accounts = Accounts(partitions)
        self.write(topics.commands.name, accounts.commands())
        self.write(topics.interactions.name, interactions(mix, records, accounts))
        return Backlog(topics.interactions.name, topics.commands.name, partitions, records, mix)

    def create(self, topics: Iterable[Topic], partitions: int) -> None:
        """Topics as botmeter's contract has them."""
        create_topics(self._admin, topics, partitions, replication_factor=1)

    def create_plain(self, names: Iterable[str], partitions: int) -> None:
        """Topics with the broker's defaults, for the outputs of other engines."""
        wanted = [NewTopic(name, num_partitions=partitions, replication_factor=1) for name in names]
        for created in self._admin.create_topics(wanted).values() if wanted else ():
            created.result(ANSWER_TIMEOUT_S)

    def delete(self, prefix: str) -> None:
        """Every topic whose name begins like this, to have the disk back."""
        names = [name for name in self._admin.list_topics(timeout=ANSWER_TIMEOUT_S).topics if name.startswith(prefix)]
        for deleted in self._admin.delete_topics(names).values() if names else ():
            deleted.result(ANSWER_TIMEOUT_S)

    def write(self, topic: str, records: Iterable[Keyed]) -> None:
        """Writes records and waits until the broker has them."""
        with clients.make_producer(clients.simple_producer_config(WRITING, self.bootstrap_servers)) as producer:
            for key, value, partition in records:
                try:
                    producer.produce(topic, value, key, partition)
                except BufferError:
                    _put_when_there_is_room(producer, topic, (key, value, partition))
            left = producer.flush(FLUSH_TIMEOUT_S)
        if left:
            raise TimeoutError(f"the broker did not take {left} records of {topic}")

    def committed(self, observer: Consumer, topic: str, partitions: int) -> int:
        """Records that `observer`'s group has committed, of all partitions."""
        asked = [TopicPartition(topic, number) for number in range(partitions)]
        return sum(max(0, place.offset) for place in observer.committed(asked, timeout=ANSWER_TIMEOUT_S))

    def observer(self, group: str) -> Consumer:
        """A client that asks for offsets of `group` and never joins it; close it."""
        # Read committed, it would be refused an answer while a transaction is open.
        config = clients.reader_config({}, self.bootstrap_servers, group) | {"isolation.level": "read_uncommitted"}
        return clients.make_consumer(config)

    def log_bytes(self, topics: Iterable[str]) -> int:
        """What the broker's disk holds of these topics' records."""
        logs = Path(self.broker.directory, "data")
        return sum(path.stat().st_size for topic in topics for path in logs.glob(f"{topic}-[0-9]*/*.log"))

    def count(self, topic: str, partitions: int, mark: bytes) -> int:
        """Committed records of a topic whose value holds `mark`."""
        ends = {number: end for number, end in end_offsets(self._admin, topic, range(partitions)).items() if end}
        config = clients.reader_config({}, self.bootstrap_servers, "bench-count")
        found = 0
        with clients.make_consumer(config) as reader:
            reader.assign([TopicPartition(topic, number, 0) for number in ends])
            while ends:
                for record in reader.consume(READ_AT_ONCE, timeout=0.1):
                    if record.error() is None:
                        found += mark in (record.value() or b"")
                    elif (record.offset() or 0) >= ends[record.partition() or 0]:  # the end of the partition
                        del ends[record.partition() or 0]
        return found


def _put_when_there_is_room(producer: Producer, topic: str, record: Keyed) -> None:
    key, value, partition = record
    while True:
        producer.poll(0.05)
        try:
            producer.produce(topic, value, key, partition)
        except BufferError:
            continue
        return
