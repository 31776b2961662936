"""Sends records in transactions. A note of what was done is committed in the same transaction, as a group's offset.

For operations that move records by hand. One process at a time holds a transactional id; a later one fences it.

A request to end a transaction may reach the broker a second time, after the next one began, if the connection was lost
before its response (see "A repeated request may take effect twice" in docs/architecture.md). So the next transaction
gets a new producer, whose epoch is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from threading import Event as Flag
from types import TracebackType
from typing import Final, NamedTuple, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from botmeter.contracts.cloudevents import OriginalHeaders
from botmeter.errors import BotmeterError, OutcomeUnknown, Retriable, TaskMigrated
from botmeter.kafka.bounded import within
from botmeter.kafka.clients import Config, make_consumer, make_producer, query_config, with_loss_listener
from botmeter.kafka.errors import Catchable, cause, classify
from botmeter.kafka.questions import REQUEST_TIMEOUT_S, retried

#: Kafka's `offset.metadata.max.bytes`: the broker refuses longer notes.
NOTE_BYTES_MAX: Final = 4096
_CALL_TIMEOUT_S: Final = 30.0
_AGAIN: Final = "run it again, it sends none twice"
#: Delivery errors of records that were purged with their transaction, whatever error ended it.
_ECHOES: Final = (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)  # noqa: SLF001

Place = tuple[str, int]


class Note(NamedTuple):
    """An offset of a partition and the text that is committed with it."""

    offset: int
    text: str


class Sent(NamedTuple):
    """A record to send."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: OriginalHeaders


class ExactlyOnce:
    """A transactional producer and the notes of its group."""

    def __init__(self, producer_config: Config, reader_config: Config) -> None:
        """The group of `reader_config` is the one that keeps the notes.

        Fences the earlier holder of the transactional id, so that notes read afterwards are the latest ones. Raises the
        classified error of the cluster.
        """
        #: Whether a connection was lost while the last transaction sent its offsets or ended.
        self._may_echo = Flag()
        self._config = with_loss_listener(producer_config, self._may_echo.set)
        self._consumer: Consumer = make_consumer(query_config(reader_config))
        self._producer = self._open()
        #: The notes, as this process has read or written them last; None where there was none.
        self._known: dict[Place, Note | None] = {}

    def _open(self) -> Producer:
        producer = make_producer(self._config)
        retried(lambda: producer.init_transactions(_CALL_TIMEOUT_S), "transactions")
        return producer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._producer.purge()
        with suppress(KafkaException):  # an abort that the broker refused is fatal; what led to it is raised already
            self._producer.flush(0)
        self._consumer.close()

    def send(
        self, records: Iterable[Sent], notes: Mapping[Place, Note], confirm: Callable[[], None] = lambda: None
    ) -> None:
        """Commits all of the records and the notes, or nothing. Raises the classified error of the cluster.

        Raises TaskMigrated when another process has taken the transactional id.

        `confirm` is called once the records are acknowledged and before the notes are sent; an error that it raises
        aborts the transaction.
        """
        if self._may_echo.is_set():
            self._replace_producer()
        faults: list[KafkaError] = []

        def delivered(error: KafkaError | None, message: Message) -> None:
            del message
            if error is not None:
                faults.append(error)

        try:
            with Catchable():
                self._producer.begin_transaction()
                for record in records:
                    self._producer.produce(
                        record.topic,
                        record.value,
                        record.key,
                        partition=record.partition,
                        headers=record.headers,  # type: ignore[arg-type] # a list of pairs is what it takes
                        on_delivery=delivered,
                    )
                    self._producer.poll(0)
                if self._producer.flush(_CALL_TIMEOUT_S):
                    raise Retriable("the broker did not acknowledge in time; nothing was sent")
                confirm()
                self._producer.poll(0)  # reports earlier losses
                self._may_echo.clear()
                self._send_notes(notes)
                self._producer.commit_transaction(_CALL_TIMEOUT_S)
                self._producer.poll(0)
                self._known.update(notes)
        except BotmeterError:
            self._abort()
            raise
        except KafkaException as exception:
            fault = cause(exception)
            self._abort()
            if fault.retriable():
                raise OutcomeUnknown(
                    f"{fault.str()}: whether these records were sent is not known; {_AGAIN}"
                ) from exception
            raise classify(next((each for each in faults if each.code() not in _ECHOES), fault)) from exception

    def _send_notes(self, notes: Mapping[Place, Note]) -> None:
        offsets = [TopicPartition(topic, number, note.offset, note.text) for (topic, number), note in notes.items()]
        metadata = self._consumer.consumer_group_metadata()
        send = partial(self._producer.send_offsets_to_transaction, offsets, metadata, _CALL_TIMEOUT_S)
        try:
            within(2 * _CALL_TIMEOUT_S, send, "sending the offsets")
        except OutcomeUnknown as error:
            raise Retriable(f"{error}: the last records were not sent; {_AGAIN}") from error

    def _replace_producer(self) -> None:
        """Opens a new producer, which fences a process that has taken the id meanwhile.

        Raises TaskMigrated when that one has sent records: what is known of the notes is not the latest.
        """
        self._producer = self._open()
        found = read_notes(self._consumer, self._known)
        if any(found.get(place) != note for place, note in self._known.items()):
            raise TaskMigrated(f"another process did the same meanwhile; {_AGAIN}")

    def _abort(self) -> None:
        with suppress(KafkaException):  # the broker ends it, or the next process that takes the transactional id
            self._producer.abort_transaction(_CALL_TIMEOUT_S)

    def notes(self, places: Iterable[Place]) -> dict[Place, Note]:
        """Returns the notes of these partitions; partitions without a note are left out."""
        asked = list(places)
        found = read_notes(self._consumer, asked)
        self._known.update((place, found.get(place)) for place in asked)
        return found


def read_notes(consumer: Consumer, places: Iterable[Place]) -> dict[Place, Note]:
    """Returns the notes that the consumer's group keeps of these partitions. Raises ClusterError, Retriable."""
    asked = [TopicPartition(topic, number) for topic, number in places]
    answers = retried(lambda: consumer.committed(asked, timeout=REQUEST_TIMEOUT_S), "the notes")
    return {
        (each.topic, each.partition): Note(each.offset, each.metadata or "") for each in answers if each.offset >= 0
    }
