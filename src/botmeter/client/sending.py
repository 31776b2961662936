"""Sends interactions and commands and returns futures, on which `Client` and `AsyncClient` wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message

from botmeter.client.connection import Connection
from botmeter.client.decoding import Result
from botmeter.client.errors import NotDelivered
from botmeter.client.results import Results
from botmeter.contracts.catalogue import COMMANDS, INTERACTIONS
from botmeter.contracts.inputs import InteractionMessage, IssuedMessage
from botmeter.contracts.topics import Topic
from botmeter.errors import BotmeterError, ConfigurationError
from botmeter.kafka import clients
from botmeter.kafka.errors import cause, classify
from botmeter.telemetry.trace_context import TRACEPARENT, Sent, read_traceparent

if TYPE_CHECKING:
    from botmeter.telemetry.spans import SendSpan, Spans

#: Options of librdkafka that a caller may override. Callers wait for acknowledgements: a millisecond still
#: makes batches at high rates, and half a minute is long enough for the election of a new leader.
_TUNED: Final = {"client.id": "botmeter-client", "linger.ms": "1", "message.timeout.ms": "30000"}
_POLL_S: Final = 0.1
#: How long `close` waits for outstanding acknowledgements.
CLOSE_TIMEOUT_S: Final = 30.0


class Place(NamedTuple):
    """The place of a record, as `after=<topic>/<partition>/<offset>` of the entitlement API takes it."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class SentCommand:
    """A command that was sent: `placed` when the broker has acknowledged it, `result` when a worker has answered it."""

    account_id: str
    command_id: str
    placed: Future[Place]
    result: Future[Result]


class Sender:
    """A producer whose records go to the partitions that the contract requires. Used by any number of threads."""

    def __init__(self, connection: Connection) -> None:
        """Connects in the background. Raises ConfigurationError for an option librdkafka does not take."""
        self._topics = connection.topics
        config = clients.simple_producer_config({**_TUNED, **connection.options}, connection.bootstrap_servers)
        self._producer = clients.make_producer(config)
        #: The fatal error of the producer, if it had one.
        self._fault: KafkaError | None = None
        self._results = Results(connection)
        self._spans = _spans(connection)
        self._closing = threading.Event()
        self._serving = threading.Thread(target=self._serve, name="botmeter-sender", daemon=True)
        self._serving.start()

    def publish(self, interaction: InteractionMessage, traceparent: str | None = None) -> Future[Place]:
        """Buffers an interaction for sending; the future is its place once the broker has acknowledged it.

        `traceparent` is the W3C trace context that it belongs to; an invalid one is left out, as W3C specifies.
        The future may raise NotDelivered, or ClusterError when an operator has to fix something.

        Raises:
            BufferError: the send buffer is full; try again in a moment.
            NotDelivered, ClusterError: the producer has failed; make another one once the cause is fixed.
        """
        about = (interaction.event_id, interaction.conversation_id)
        value = INTERACTIONS.encode(interaction)
        return self._produce(self._topics.interactions, interaction.account_id, value, about, traceparent)

    def send(self, command: IssuedMessage) -> SentCommand:
        """Buffers a command for sending. Results are followed from before it is sent; the first call starts that.

        `SentCommand.result` stays open until the result is read; `forget` it when no caller waits any more.

        Raises:
            BufferError: as for `publish`.
            ClusterError: the topic of results cannot be read.
            Retriable: the cluster does not answer.
        """
        account_id, command_id = command.account_id, command.command_id
        result = self._results.expect(account_id, command_id)
        try:
            self._results.follow()
            placed = self._produce(self._topics.commands, account_id, COMMANDS.encode(command), (command_id, None))
        except BaseException:
            self._results.forget(account_id, command_id, result)
            raise
        sent = SentCommand(account_id, command_id, placed, result)
        placed.add_done_callback(lambda _: self._fail_undelivered(sent))
        return sent

    def forget(self, sent: SentCommand) -> None:
        """Releases the future of a result that no caller waits for any more."""
        self._results.forget(sent.account_id, sent.command_id, sent.result)

    @property
    def is_following(self) -> bool:
        """Whether results are followed already, so that `send` need not look up first where they end."""
        return self._results.is_following

    def follow(self) -> None:
        """Starts following the results, as the first `send` would. Raises ClusterError, Retriable."""
        self._results.follow()

    def close(self) -> None:
        """Waits up to 30 s for outstanding acknowledgements, then closes the connections."""
        self._producer.flush(CLOSE_TIMEOUT_S)
        self._closing.set()
        self._serving.join()
        self._producer.purge()  # fails the futures of records that are left
        self._producer.flush(1.0)
        self._producer.close()
        self._results.close()

    def _fail_undelivered(self, sent: SentCommand) -> None:
        """Fails the result of a command that was not delivered: it will most likely never be answered."""
        if not sent.placed.cancelled() and (error := sent.placed.exception()) is not None:
            self._results.fail(sent.account_id, sent.command_id, sent.result, error)

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                self._producer.poll(_POLL_S)
            except KafkaException as exception:
                self._fault = cause(exception)
                self._producer.purge()  # the next polls fail the futures of waiting records

    def _produce(
        self, topic: Topic, key: str, value: bytes, about: tuple[str, str | None], traceparent: str | None = None
    ) -> Future[Place]:
        """`about`: the message's id, and its conversation's id if it has one."""
        placed: Future[Place] = Future()
        span, carried = None, traceparent if read_traceparent(traceparent) else None
        if self._spans is not None:
            span = self._spans.send(Sent(topic.name, key, len(value), *about), traceparent)
            carried = span.traceparent
        headers: list[tuple[str, str | bytes | None]] = [(TRACEPARENT, carried.encode())] if carried else []
        on_delivery = _delivery_callback(placed, topic.name, span, self._undelivered)
        try:
            self._producer.produce(topic.name, value, key, headers=headers or None, on_delivery=on_delivery)
        except KafkaException as exception:
            raise self._undelivered(cause(exception), topic.name) from exception
        return placed

    def _undelivered(self, error: KafkaError, topic: str) -> BotmeterError:
        """The error to raise: one that an operator has to fix, else NotDelivered, after which a retry may succeed."""
        fault = classify(self._fault or error, f"WRITE on topic {topic}")
        return fault if isinstance(fault, ConfigurationError) else NotDelivered(str(fault))


def _spans(connection: Connection) -> Spans | None:
    if connection.tracer_provider is None:
        return None
    from botmeter.telemetry.spans import Spans  # noqa: PLC0415 - OpenTelemetry is installed only where traces are used

    return Spans(connection.tracer_provider)


def _delivery_callback(
    placed: Future[Place],
    topic: str,
    span: SendSpan | None,
    undelivered: Callable[[KafkaError, str], BotmeterError],
) -> Callable[[KafkaError | None, Message], None]:
    def on_delivery(error: KafkaError | None, message: Message) -> None:
        place = Place(topic, int(message.partition() or 0), int(message.offset() or 0))
        if span is not None:
            _end(span, error, place)
        if not placed.set_running_or_notify_cancel():
            return
        if error is None:
            placed.set_result(place)
        else:
            placed.set_exception(undelivered(error, topic))

    return on_delivery


def _end(span: SendSpan, error: KafkaError | None, place: Place) -> None:
    if error is None:
        span.acknowledged(place.partition, place.offset)
    else:
        span.failed(error.name())
