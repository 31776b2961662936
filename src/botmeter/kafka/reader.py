"""Reads a partition up to a known end, as restores do: with `assign` only, read_committed, and a flag to stop it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from threading import Event as Flag
from typing import Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from botmeter.errors import BotmeterError, Retriable
from botmeter.kafka.errors import END_OF_PARTITION, cause, classify

T = TypeVar("T")
log = logging.getLogger(__name__)

#: Records handed over at a time: bounds memory and the work lost by a crash.
_CHUNK_RECORDS: Final = 5_000
#: The time limit of one request to the broker, and the pause before the next attempt.
REQUEST_S: Final = 5.0
_PAUSE_S: Final = 0.2
#: How long to wait for a first record, and then for more records.
_POLL_S: Final = 0.1
_GATHER_S: Final = 0.01
#: Without progress for so long, a reader logs what it waits for. A live worker commits far more often.
_PATIENCE_S: Final = 10.0


class RestoreStopped(BotmeterError):  # noqa: N818 - named by what happened
    """The partition was revoked, or the worker stops. Recovery: abandon the restore; its store is closed."""


def require_wanted(partition: int, stop: Flag) -> None:
    """Raises RestoreStopped when `stop` is set: the worker no longer needs the restore."""
    if stop.is_set():
        raise RestoreStopped(f"restore of partition {partition} was stopped")


def committed_records(
    reader: Consumer, topic: str, partition: int, start: int, end: int, stop: Flag
) -> Generator[list[Message]]:
    """Yields all committed records from `start` up to the high watermark `end`, in chunks.

    The reader has no partition assigned when the iteration ends. A caller that may stop early must close the generator.
    Raises RestoreStopped when `stop` is set.
    """
    if start >= end:
        return
    _assign(reader, topic, partition, start, stop)
    try:
        yield from _chunks(reader, topic, partition, end, stop)
    finally:
        reader.unassign()  # otherwise it would go on fetching in the pool of readers


def _chunks(reader: Consumer, topic: str, partition: int, end: int, stop: Flag) -> Iterator[list[Message]]:
    is_done, progress_s = False, time.monotonic()
    while not is_done:
        require_wanted(partition, stop)
        chunk: list[Message] = []
        first = reader.poll(_POLL_S)
        rest = [] if first is None else reader.consume(_CHUNK_RECORDS, timeout=_GATHER_S)
        for message in rest if first is None else [first, *rest]:
            error = message.error()
            if error is None:
                chunk.append(message)
                is_done = is_done or (message.offset() or 0) >= end - 1
            elif error.code() == END_OF_PARTITION:
                is_done = is_done or (message.offset() or 0) >= end
            else:
                _require_transient(error, topic)
        if chunk:
            yield chunk
            progress_s = time.monotonic()
        elif not is_done and time.monotonic() - progress_s > _PATIENCE_S:
            progress_s = time.monotonic()
            log.warning(
                "%s, partition %d: nothing to read below offset %d for %.0f s; an open transaction of another producer "
                "holds it back (kafka-transactions.sh find-hanging)", topic, partition, end, _PATIENCE_S,
            )  # fmt: skip


def _assign(reader: Consumer, topic: str, partition: int, offset: int, stop: Flag) -> None:
    """Starts reading at once: a request for offsets finds the leader, which the client itself does once a second."""
    until_answered(stop, lambda: reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=REQUEST_S))
    reader.assign([TopicPartition(topic, partition, offset)])


def until_answered(stop: Flag, ask: Callable[[], T]) -> T:
    """Returns what `ask` returns; calls it again while the fault is transient, such as unstable offsets."""
    while not stop.is_set():
        try:
            return ask()
        except KafkaException as exception:
            error = classify(cause(exception))
            if not isinstance(error, Retriable):
                raise error from exception
            log.info("restore waits: %s", error)
            stop.wait(_PAUSE_S)
    raise RestoreStopped("the restore was stopped")


def available_messages(reader: Consumer, at_most: int, wait_s: float) -> list[Message]:
    """Returns the messages that are here already, else the first that arrives within `wait_s`; errors included.

    `consume` alone would wait until there are `at_most` messages, or the time is up.
    """
    first = reader.poll(wait_s)
    return [] if first is None else [first, *reader.consume(at_most, timeout=0)]


def first_timestamp(reader: Consumer, topic: str, partition: int, offset: int, stop: Flag) -> int | None:
    """Returns the broker's time of the first record at or after `offset`, UTC ms; None when there is none yet."""
    _assign(reader, topic, partition, offset, stop)
    try:
        while not stop.is_set():
            message = reader.poll(_POLL_S)
            if message is None:
                continue
            error = message.error()
            if error is None:
                return message.timestamp()[1]
            if error.code() == END_OF_PARTITION:
                return None
            _require_transient(error, topic)
        raise RestoreStopped(f"restore of partition {partition} was stopped")
    finally:
        reader.unassign()


def _require_transient(error: KafkaError, topic: str) -> None:
    """Raises the classified error, unless the client recovers from it by itself."""
    mapped = classify(error, topic)
    if not isinstance(mapped, Retriable):
        raise mapped
    log.warning("restore: %s", mapped)
