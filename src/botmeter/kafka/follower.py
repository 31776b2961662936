"""Follows topics while the program runs: with `assign` only, read_committed, from offsets that are kept elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from botmeter.errors import ClusterError, Retriable
from botmeter.kafka.errors import END_OF_PARTITION, classify

log = logging.getLogger(__name__)

#: A topic's name and the number of a partition.
Place = tuple[str, int]
#: How long to wait for more records after the first.
_GATHER_S: Final = 0.005


@dataclass(slots=True)
class Chunk:
    """Records in the order of each partition, and the next offset to read of each partition where it is known."""

    records: list[Message] = field(default_factory=list)
    positions: dict[Place, int] = field(default_factory=dict)


class Follower:
    """Reads partitions continuously. It is no member of a group and commits nothing in Kafka. Used by one thread."""

    def __init__(self, consumer: Consumer) -> None:
        """`consumer` is made from `clients.reader_config`; it is closed with the follower."""
        self._consumer = consumer

    def follow(self, offsets: Mapping[Place, int]) -> None:
        """Reads these partitions from these offsets, and no others."""
        self._consumer.assign([TopicPartition(topic, partition, at) for (topic, partition), at in offsets.items()])

    def read(self, records_max: int, wait_s: float) -> Chunk:
        """Returns at most `records_max` records as soon as there are some, or none after `wait_s`.

        Raises ClusterError when the next records were deleted, or the cluster refuses.
        """
        first = self._consumer.poll(wait_s)
        if first is None:
            return Chunk()
        return _sorted([first, *self._consumer.consume(records_max - 1, timeout=_GATHER_S)])

    def close(self) -> None:
        """Leaves the cluster."""
        self._consumer.close()


def _sorted(messages: Iterable[Message]) -> Chunk:
    chunk = Chunk()
    for message in messages:
        error = message.error()
        place = (message.topic() or "", message.partition() or 0)
        if error is None:
            chunk.records.append(message)
            chunk.positions[place] = (message.offset() or 0) + 1
        elif error.code() == END_OF_PARTITION:
            chunk.positions[place] = message.offset() or 0  # past the control records of transactions, too
        else:
            _require_transient(error, place)
    return chunk


def _require_transient(error: KafkaError, place: Place) -> None:
    """Raises the classified error, unless the client recovers from it by itself."""
    topic, partition = place
    if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - librdkafka's own codes begin with an underscore
        raise ClusterError(
            f"{topic}, partition {partition}: the next records to read do not exist any more ({error.str()}); "
            "was the topic recreated or truncated?"
        )
    mapped = classify(error, topic)
    if not isinstance(mapped, Retriable):
        raise mapped
    log.info("following %s: %s", topic, mapped)
