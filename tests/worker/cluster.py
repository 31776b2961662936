"""One installation of botmeter on the tests' broker: topics, group and data directories that no other test has."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from botmeter.contracts.topics import Topic, Topics
from botmeter.engine.restore import RestoreSettings
from botmeter.kafka import clients, questions
from botmeter.kafka.topic_setup import create_topics
from botmeter.settings.model import Settings

from .process import PATIENCE_S, WorkerProcess

PARTITIONS: Final = 2
#: One answer about the group, which is asked for again.
ANSWER_S: Final = 5.0
#: Small, so that accounts run out within a test.
RULES: Final[dict[str, str]] = {"BOTMETER_COMPLIMENTARY_SESSIONS": "10", "BOTMETER_PACK_SESSIONS": "20"}
#: Idle snapshots are noticed soon; a worker that a busy machine lets wait is not taken for dead.
QUICK: Final = {
    "BOTMETER_KAFKA__SESSION_TIMEOUT_MS": "60000",
    "BOTMETER_KAFKA__HEARTBEAT_INTERVAL_MS": "300",
    "BOTMETER_SNAPSHOT_INTERVAL_S": "1",
    "BOTMETER_WEB_PORT": "0",
}
#: For tests in which workers die or freeze, and are missed.
SHORT_SESSIONS: Final = {"BOTMETER_KAFKA__SESSION_TIMEOUT_MS": "3000"}

Headers = list[tuple[str, bytes | None]]
#: A topic's name and a partition.
Place = tuple[str, int]
Records = dict[Place, list[Message]]


class Cluster:
    """The topics of one installation, what is written to them and what is read from them, and its workers."""

    def __init__(
        self, bootstrap_servers: str, prefix: str, directory: Path, partitions: int = PARTITIONS, copies: int = 1
    ) -> None:
        """`copies`: how many brokers keep each record."""
        self.bootstrap_servers = bootstrap_servers
        self.partitions = partitions
        self.topics = Topics.named(prefix, f"{prefix}chat.interactions", f"{prefix}billing.commands")
        self.group = f"{prefix}group"
        self.directory = directory
        self.settings = Settings(complimentary_sessions=10, pack_sessions=20)
        self._prefix = prefix
        self._closing = ExitStack()
        self._admin = self._closing.enter_context(clients.make_admin(clients.admin_config({}, bootstrap_servers)))
        writing = {"linger.ms": "0"}
        self._producer = self._closing.enter_context(
            clients.make_producer(clients.simple_producer_config(writing, bootstrap_servers))
        )
        reading = clients.reader_config({}, bootstrap_servers, self.group)
        self._reader = self._closing.enter_context(clients.make_consumer(reading))
        # Read committed, it would be refused an answer while a transaction is open: with a busy worker, all the time.
        asking = {**reading, "isolation.level": "read_uncommitted"}
        self._asker = self._closing.enter_context(clients.make_consumer(asking))
        create_topics(self._admin, self.topics.all(), partitions, replication_factor=copies)

    def close(self) -> None:
        """Kills what still runs."""
        self._closing.close()

    # --- Workers ---

    def environment(self, name: str = "worker", **variables: str) -> dict[str, str]:
        """What a worker of this name is told; its data directory carries the name."""
        return {
            "BOTMETER_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "BOTMETER_TOPIC_PREFIX": self._prefix,
            "BOTMETER_INTERACTIONS_TOPIC": self.topics.interactions.name,
            "BOTMETER_COMMANDS_TOPIC": self.topics.commands.name,
            "BOTMETER_GROUP": self.group,
            "BOTMETER_PARTITIONS": str(self.partitions),
            "BOTMETER_DATA_DIR": str(self.data_dir(name)),
            "BOTMETER_INSTANCE": name,
            **QUICK,
            **RULES,
            **variables,
        }

    def data_dir(self, name: str = "worker") -> Path:
        return self.directory / name

    def restore_settings(self) -> RestoreSettings:
        """For restoring, in the test's own process, what a worker has left."""
        return RestoreSettings(
            topics=self.topics,
            rules=self.settings.rules(),
            partitions=self.partitions,
            data_dir=self.data_dir(),
            cache_windows=100,
            snapshot_interval_s=1.0,
            store_max_age_ms=10**9,
        )

    def worker(self, name: str = "worker", **variables: str) -> WorkerProcess:
        """Starts a worker, which is killed at the end of the test if it still runs."""
        return self._closing.enter_context(WorkerProcess(self.environment(name, **variables)))

    # --- Writing ---

    def put(
        self,
        topic: Topic,
        key: bytes | str | None,
        value: bytes | None,
        *,
        headers: Headers | None = None,
        partition: int | None = None,
        on_delivery: Callable[[KafkaError | None, Message], None] | None = None,
    ) -> None:
        """Writes a record; `flush` waits for the broker."""
        place = {} if partition is None else {"partition": partition}
        self._producer.produce(
            topic.name, value, key, headers=headers or [], on_delivery=on_delivery, **place  # type: ignore[arg-type]
        )  # fmt: skip
        self._producer.poll(0)

    def flush(self) -> None:
        """Waits until everything written is acknowledged, and then until the next millisecond.

        So whatever is written after it has a later timestamp: the broker's clock is this machine's.
        """
        assert self._producer.flush(PATIENCE_S) == 0
        now_ms = time.time_ns() // 1_000_000
        while time.time_ns() // 1_000_000 <= now_ms:
            time.sleep(0.0002)

    # --- Reading ---

    def ends(self, topic: Topic) -> dict[int, int]:
        """The high watermarks."""
        return questions.end_offsets(self._admin, topic.name, range(self.partitions))

    def read(self, *topics: Topic) -> Records:
        """Everything committed, by topic and partition, up to the high watermarks of now."""
        ends = {(topic.name, number): end for topic in topics for number, end in self.ends(topic).items()}
        return read_up_to(self._reader, ends)

    def committed(self) -> dict[Place, int]:
        """The offsets the group has committed in the inputs, -1001 where none; those of an open transaction are not."""
        inputs = (self.topics.interactions.name, self.topics.commands.name)
        asked = [TopicPartition(name, number) for name in inputs for number in range(self.partitions)]
        answers = questions.retried(lambda: self._asker.committed(asked, timeout=ANSWER_S), self.group)
        return {(answer.topic, answer.partition): answer.offset for answer in answers}

    def await_all_taken(self, workers: Sequence[WorkerProcess] = (), within_s: float = PATIENCE_S) -> None:
        """Waits until the group has committed the ends of both inputs; fails when one of the workers ends meanwhile."""
        inputs = (self.topics.interactions, self.topics.commands)
        ends = {(topic.name, number): end for topic in inputs for number, end in self.ends(topic).items() if end}
        self.await_true(lambda: self._has_taken(ends), workers, within_s, "not everything was taken")

    def _has_taken(self, ends: Mapping[Place, int]) -> bool:
        committed = self.committed()
        return all(committed[place] >= end for place, end in ends.items())

    def await_true(
        self, ask: Callable[[], bool], workers: Sequence[WorkerProcess], within_s: float, otherwise: str
    ) -> None:
        """Asks the broker again and again; it has no way to tell by itself."""
        deadline = time.monotonic() + within_s
        while not ask():
            said = "\n".join(worker.said for worker in workers)
            assert not any(worker.has_ended for worker in workers), f"a worker ended:\n{said}"
            assert time.monotonic() < deadline, f"{otherwise} within {within_s:g} s; the workers said:\n{said}"
            time.sleep(0.05)


def read_up_to(reader: Consumer, ends: Mapping[Place, int]) -> Records:
    """All records below these ends that this reader is shown, in the order of their offsets."""
    found: Records = {place: [] for place in ends}
    left = {place for place, end in ends.items() if end}
    reader.assign([TopicPartition(topic, number, 0) for topic, number in left])
    deadline = time.monotonic() + PATIENCE_S
    while left:
        assert time.monotonic() < deadline, f"could not read {left} to the end: is a transaction open?"
        for message in reader.consume(1_000, timeout=0.05):
            topic, number, offset, error = message.topic(), message.partition(), message.offset(), message.error()
            assert topic is not None, error
            assert number is not None
            assert offset is not None
            if error is None:
                found[topic, number].append(message)
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
            if offset >= ends[topic, number] - (error is None):
                left.discard((topic, number))
    reader.unassign()
    return found
