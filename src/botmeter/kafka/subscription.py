"""A member of a consumer group that keeps its offsets elsewhere, in one transaction with its results.

The offsets committed in Kafka only show the group's lag to people and tools; reading never starts from them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from botmeter.errors import BotmeterError, Retriable
from botmeter.kafka.clients import Config, make_consumer
from botmeter.kafka.errors import END_OF_PARTITION, cause, classify
from botmeter.kafka.reader import REQUEST_S

log = logging.getLogger(__name__)

#: How long a poll waits for more once a first record is there.
_GATHER_S: Final = 0.01


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


class Received(NamedTuple):
    """A record that was read; `timestamp_ms` is the broker's or the producer's, UTC ms."""

    place: Place
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes | None]


class Subscription:
    """Reads committed records of some topics, together with the other members of its group."""

    def __init__(
        self, config: Config, topics: Sequence[str], offsets_of: Callable[[Sequence[Place]], Mapping[Place, int]]
    ) -> None:
        """`offsets_of` returns the next offset to read of each assigned partition; a partition it omits is new."""
        self._consumer: Consumer = make_consumer(config)
        self._offsets_of = offsets_of
        self._failed: BaseException | None = None
        #: Every partition assigned at present.
        self.places: set[Place] = set()
        self._consumer.subscribe(list(topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._consumer.close()

    def poll(self, records_max: int, timeout_s: float) -> list[Received]:
        """Returns the records that arrived, in offset order per partition. Raises what an operator must fix."""
        first = self._consumer.poll(timeout_s)
        if self._failed:
            raise self._failed
        if first is None:
            return []
        rest = self._consumer.consume(records_max - 1, timeout=_GATHER_S)
        if self._failed:
            raise self._failed
        return [_received(message) for message in (first, *rest) if self._is_record(message)]

    def rewind(self, places: Iterable[Place]) -> None:
        """Reads these partitions again from the offsets of `offsets_of`; the caller drops what it polled since."""
        for start in self._from_offsets(sorted(self.places.intersection(places))):
            self._consumer.seek(start)

    def show_progress(self, offsets: Mapping[Place, int]) -> None:
        """Commits offsets in Kafka, only so that tools can show the group's lag; a failure does no harm."""
        commits = [TopicPartition(*place, offset) for place, offset in offsets.items() if place in self.places]
        if commits:
            self._consumer.commit(offsets=commits, asynchronous=True)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:  # the client would assign the partitions in spite of an error that is raised in here
            places = [Place(partition.topic, partition.partition) for partition in partitions]
            consumer.incremental_assign(self._from_offsets(places))
            self.places.update(places)
        except BaseException as error:  # noqa: BLE001 - raised by the poll that called back
            self._failed = error

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            self.places -= {Place(partition.topic, partition.partition) for partition in partitions}
            consumer.incremental_unassign(partitions)
        except BaseException as error:  # noqa: BLE001 - as above
            self._failed = error

    def _from_offsets(self, places: Sequence[Place]) -> list[TopicPartition]:
        known = self._offsets_of(places)
        return [TopicPartition(*place, self._start(place, known.get(place))) for place in places]

    def _start(self, place: Place, offset: int | None) -> int:
        if offset is None:
            return OFFSET_BEGINNING
        low, high = self._watermarks(place)
        if offset < low:
            log.warning("%s, partition %d: records %d to %d were deleted unread", *place, offset, low - 1)
            return OFFSET_BEGINNING
        if offset > high:
            log.warning("%s, partition %d ends at %d, before offset %d: it was recreated", *place, high, offset)
            return OFFSET_BEGINNING
        return offset

    def _watermarks(self, place: Place) -> tuple[int, int]:
        try:
            low, high = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=REQUEST_S)
        except KafkaException as exception:
            raise classify(cause(exception), place.topic) from exception
        return low, high

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() != END_OF_PARTITION:
            mapped: BotmeterError = classify(error)
            if not isinstance(mapped, Retriable):
                raise mapped
            log.warning("%s", mapped)
        return False


def _received(message: Message) -> Received:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    headers = dict(_pairs(message.headers()))
    place = Place(topic, partition)
    return Received(place, offset, message.timestamp()[1], message.key(), message.value(), headers)


def _pairs(headers: Any) -> list[tuple[str, bytes | None]]:
    """Returns the headers as the client gives them; the last one of a name counts."""
    return list(headers or ())
