"""The two brokers under one suite: the real one and the one in memory."""

from __future__ import annotations

import itertools
import time
from contextlib import ExitStack
from typing import Any, Protocol, cast

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from botmeter.kafka import clients, questions
from botmeter.kafka.errors import END_OF_PARTITION

from .admin import MemoryAdmin
from .broker import MemoryBroker
from .consumer import MemoryConsumer
from .producer import MemoryProducer
from .world import Process, World

#: An end to hanging, not a measure.
PATIENCE_S = 60.0
ANSWER_S = 60.0
_TRANSACTION_MS = 120_000


class Side(Protocol):
    """A cluster of one of the two kinds, and clients to it."""

    admin: AdminClient

    def topic(self, partitions: int = 1, *, has_brokers_time: bool = False) -> str:
        """A new topic's name."""

    def consumer(self, group: str = "", **options: Any) -> Consumer:
        """As a worker's: committed records alone, the ends of partitions told, no start by itself."""

    def producer(self, name: str = "") -> Producer:
        """Transactional where it has a name."""

    def group(self) -> str:
        """A name nobody else has."""

    def goes_on(self, deadline_s: float) -> bool:
        """Whether there is still time to wait."""

    def deadline(self) -> float:
        """When waiting ends."""


class RealSide:
    """Apache Kafka."""

    def __init__(self, bootstrap_servers: str, prefix: str) -> None:
        self._servers, self._prefix = bootstrap_servers, prefix
        self._numbers = itertools.count(1)
        self._closing = ExitStack()
        self.admin = self._closing.enter_context(clients.make_admin(clients.admin_config({}, bootstrap_servers)))

    def topic(self, partitions: int = 1, *, has_brokers_time: bool = False) -> str:
        name = f"{self._prefix}{next(self._numbers)}"
        config = {"message.timestamp.type": "LogAppendTime" if has_brokers_time else "CreateTime"}
        for future in self.admin.create_topics([NewTopic(name, partitions, 1, config=config)]).values():
            future.result()
        questions.end_offsets(self.admin, name, range(partitions))  # it takes a moment to be there
        return name

    def group(self) -> str:
        return f"{self._prefix}group-{next(self._numbers)}"

    def consumer(self, group: str = "", **options: Any) -> Consumer:
        tuned = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "300"}
        config = clients.consumer_config(tuned, self._servers, group or self.group())
        return self._closing.enter_context(clients.make_consumer({**config, **_dotted(options)}))

    def producer(self, name: str = "") -> Producer:
        if not name:
            return clients.make_producer(clients.simple_producer_config({"linger.ms": "0"}, self._servers))
        return clients.make_producer(
            clients.producer_config({}, self._servers, f"{self._prefix}{name}", _TRANSACTION_MS)
        )

    def deadline(self) -> float:
        return time.monotonic() + PATIENCE_S

    def goes_on(self, deadline_s: float) -> bool:
        return time.monotonic() < deadline_s

    def close(self) -> None:
        self._closing.close()


class MemorySide:
    """The broker in memory, each client in a process of its own."""

    def __init__(self) -> None:
        self.world = World()
        self.broker = MemoryBroker(self.world)
        self._numbers = itertools.count(1)
        self.admin = cast("AdminClient", MemoryAdmin(self.broker, Process("admin")))

    def topic(self, partitions: int = 1, *, has_brokers_time: bool = False) -> str:
        name = f"topic-{next(self._numbers)}"
        self.broker.create_topic(name, partitions, has_brokers_time)
        return name

    def group(self) -> str:
        return f"group-{next(self._numbers)}"

    def consumer(self, group: str = "", **options: Any) -> Consumer:
        config = clients.consumer_config({}, "memory", group or self.group())
        client = MemoryConsumer(self.broker, {**config, **_dotted(options)}, Process(f"consumer-{next(self._numbers)}"))
        return cast("Consumer", client)

    def producer(self, name: str = "") -> Producer:
        config = clients.producer_config({}, "memory", name, _TRANSACTION_MS) if name else {}
        return cast("Producer", MemoryProducer(self.broker, config, Process(f"producer-{next(self._numbers)}")))

    def deadline(self) -> float:
        return self.world.now_ms / 1000 + PATIENCE_S

    def goes_on(self, deadline_s: float) -> bool:
        return self.world.now_ms / 1000 < deadline_s


def _dotted(options: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "."): value for name, value in options.items()}


def read_to_end(side: Side, consumer: Consumer, end: int) -> list[Message]:
    """What the consumer gives of its one partition until it tells an end at or past this offset."""
    found, deadline = [], side.deadline()
    while side.goes_on(deadline):
        message = consumer.poll(0.1)
        if message is None:
            continue
        error = message.error()
        if error is None:
            found.append(message)
            continue
        assert error.code() == END_OF_PARTITION, error
        if (message.offset() or 0) >= end:
            return found
    raise AssertionError(f"no end at {end}; read {[message.value() for message in found]}")


def values(messages: list[Message]) -> list[bytes | None]:
    return [message.value() for message in messages]


def await_true(side: Side, is_so: Any, *consumers: Consumer) -> None:
    """Polls these until it is so."""
    deadline = side.deadline()
    while not is_so():
        assert side.goes_on(deadline), "it never came to be so"
        for consumer in consumers:
            consumer.poll(0.05)


def at(topic: str, offset: int = 0, partition: int = 0) -> TopicPartition:
    return TopicPartition(topic, partition, offset)
