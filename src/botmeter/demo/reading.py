"""Reads topics from their beginning, read_committed, and detects when the end is reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, cast

from confluent_kafka import OFFSET_BEGINNING, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from botmeter.errors import Retriable
from botmeter.kafka import clients, questions
from botmeter.kafka.errors import classify
from botmeter.metering.records import Record

#: Most records handed over at a time.
_BATCH: Final = 5_000
#: How long to wait for the next record before checking whether to continue.
_WAIT_S: Final = 0.1

#: Name of a topic, number of a partition.
Place = tuple[str, int]


class Reader:
    """Reads partitions from their beginning. Used by one thread. A new one takes half a second to find its broker."""

    def __init__(self, config: clients.Config) -> None:
        """`config` is made by `clients.reader_config`."""
        self._consumer = clients.make_consumer(config)
        self._reached: dict[Place, int] = {}

    def begin(self, places: Iterable[Place]) -> None:
        """Starts reading these partitions, and no others, from their beginning."""
        self._reached = {}
        self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for topic, number in places])

    def batch(self, wait_s: float = _WAIT_S) -> list[Record]:
        """Returns the records that are available, else those that arrive within `wait_s`.

        Raises the classified error of the cluster.
        """
        first = self._consumer.poll(wait_s)
        if first is None:
            return []
        messages = [first, *self._consumer.consume(_BATCH, timeout=0)]
        # Without an error a message is a record: it has a topic, an offset and a timestamp.
        return [cast("Record", message) for message in messages if not self._is_partition_event(message)]

    def has_reached(self, ends: Mapping[Place, int]) -> bool:
        """Returns whether every partition was read up to its offset in `ends`."""
        return all(self._reached.get(place, -1) >= end for place, end in ends.items())

    def close(self) -> None:
        """Closes the client."""
        self._consumer.close()

    def _is_partition_event(self, message: Message) -> bool:
        """Returns whether this is no record but an event of a partition: its end is reached, or an error."""
        error = message.error()
        if error is None:
            return False
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own codes begin with an underscore
            self._reached[str(message.topic()), int(message.partition() or 0)] = int(message.offset() or 0)
            return True
        fault = classify(error, str(message.topic()))
        if not isinstance(fault, Retriable):  # the client recovers from the others by itself
            raise fault
        return True


def ends_of(admin: AdminClient, topics: Iterable[str], partitions: int) -> dict[Place, int]:
    """Returns where every partition of the topics ends now. Raises ClusterError, Retriable."""
    return {
        (topic, number): end
        for topic in topics
        for number, end in questions.end_offsets(admin, topic, range(partitions)).items()
    }
