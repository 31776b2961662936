"""Reading topics from their beginning, what is committed alone, and knowing when the end is reached."""

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
#: How long to wait for the next record before looking whether to go on.
_WAIT_S: Final = 0.1

#: Name of a topic, number of a partition.
Place = tuple[str, int]


class Reader:
    """Reads partitions from their beginning. Used by one thread. A new one takes half a second to find its broker."""

    def __init__(self, config: clients.Config) -> None:
        """`config` as `clients.reader_config` makes it."""
        self._consumer = clients.make_consumer(config)
        self._reached: dict[Place, int] = {}

    def begin(self, places: Iterable[Place]) -> None:
        """From now on reads these partitions, from their beginning."""
        self._reached = {}
        self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for topic, number in places])

    def batch(self, wait_s: float = _WAIT_S) -> list[Record]:
        """The records that have come, at once; when there are none, those that come within `wait_s`.

        Raises what the cluster's fault asks for.
        """
        first = self._consumer.poll(wait_s)
        if first is None:
            return []
        messages = [first, *self._consumer.consume(_BATCH, timeout=0)]
        # Without an error a message is a record: it has a topic, an offset and a timestamp.
        return [cast("Record", message) for message in messages if not self._is_news(message)]

    def has_reached(self, ends: Mapping[Place, int]) -> bool:
        """Whether every partition was read to the offset given for it."""
        return all(self._reached.get(place, -1) >= end for place, end in ends.items())

    def close(self) -> None:
        """Lets the client go."""
        self._consumer.close()

    def _is_news(self, message: Message) -> bool:
        """Whether this is no record but news about a partition: its end is reached, or something is wrong."""
        error = message.error()
        if error is None:
            return False
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - so it is called
            self._reached[str(message.topic()), int(message.partition() or 0)] = int(message.offset() or 0)
            return True
        fault = classify(error, str(message.topic()))
        if not isinstance(fault, Retriable):  # the client gets over the others by itself
            raise fault
        return True


def ends_of(admin: AdminClient, topics: Iterable[str], partitions: int) -> dict[Place, int]:
    """Where every partition of the topics ends now. Raises ClusterError, Retriable."""
    return {
        (topic, number): end
        for topic in topics
        for number, end in questions.end_offsets(admin, topic, range(partitions)).items()
    }
