"""Sends interactions and commands; futures tell what became of them. `Client` and `AsyncClient` wait for those."""

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

#: Options of librdkafka that a caller's own win over. Somebody waits: a millisecond still makes batches of a flood, and
#: half a minute is long enough for the election of a new leader.
_TUNED: Final = {"client.id": "botmeter-client", "linger.ms": "1", "message.timeout.ms": "30000"}
_POLL_S: Final = 0.1
#: How long `close` waits for what is on its way.
CLOSE_TIMEOUT_S: Final = 30.0


class Place(NamedTuple):
    """Where a record is: what `after=<topic>/<partition>/<offset>` of the entitlement API takes."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class SentCommand:
    """A command on its way: acknowledged by the broker, then answered by a worker."""

    account_id: str
    command_id: str
    placed: Future[Place]
    result: Future[Result]


class Sender:
    """A producer whose records go to the partitions the contract wants. Used by any number of threads."""

    def __init__(self, connection: Connection) -> None:
        """Connects in the background. Raises ConfigurationError for an option librdkafka does not take."""
        self._topics = connection.topics
        config = clients.simple_producer_config({**_TUNED, **connection.options}, connection.bootstrap_servers)
        self._producer = clients.make_producer(config)
        #: What the producer has died of.
        self._fault: KafkaError | None = None
        self._results = Results(connection)
        self._spans = _spans(connection)
        self._closing = threading.Event()
        self._serving = threading.Thread(target=self._serve, name="botmeter-sender", daemon=True)
        self._serving.start()

    def publish(self, interaction: InteractionMessage, traceparent: str | None = None) -> Future[Place]:
        """Hands an interaction to the client; the future is its place once the broker has acknowledged it.

        `traceparent` is the W3C trace context that it belongs to; what is none is left out, as that specification says.
        The future may raise NotDelivered, or ClusterError when a person has to mend something.

        Raises:
            BufferError: too much is on its way; try again in a moment.
            NotDelivered, ClusterError: the producer cannot go on; make another one once it is mended.
        """
        about = (interaction.event_id, interaction.conversation_id)
        value = INTERACTIONS.encode(interaction)
        return self._produce(self._topics.interactions, interaction.account_id, value, about, traceparent)

    def send(self, command: IssuedMessage) -> SentCommand:
        """Hands a command to the client. Results are followed from before it is sent; the first call starts that.

        `SentCommand.result` stays open until the result is read; `forget` it when nobody waits any more.

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
        placed.add_done_callback(lambda _: self._give_up_undelivered(sent))
        return sent

    def forget(self, sent: SentCommand) -> None:
        """Nobody waits for the result of this command any more."""
        self._results.forget(sent.account_id, sent.command_id, sent.result)

    @property
    def is_following(self) -> bool:
        """Whether `send` will not have to ask the cluster first where the results end."""
        return self._results.is_following

    def follow(self) -> None:
        """Starts following the results, which `send` would do. Raises ClusterError, Retriable."""
        self._results.follow()

    def close(self) -> None:
        """Waits up to 30 s for what is on its way, then lets the clients go."""
        self._producer.flush(CLOSE_TIMEOUT_S)
        self._closing.set()
        self._serving.join()
        self._producer.purge()  # what is left is told to its futures
        self._producer.flush(1.0)
        self._producer.close()
        self._results.close()

    def _give_up_undelivered(self, sent: SentCommand) -> None:
        """A command that was not delivered will hardly be answered."""
        if not sent.placed.cancelled() and (error := sent.placed.exception()) is not None:
            self._results.give_up(sent.account_id, sent.command_id, sent.result, error)

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                self._producer.poll(_POLL_S)
            except KafkaException as exception:
                self._fault = cause(exception)
                self._producer.purge()  # what waits is told to its futures, by the next polls

    def _produce(
        self, topic: Topic, key: str, value: bytes, about: tuple[str, str | None], traceparent: str | None = None
    ) -> Future[Place]:
        """`about`: the message's id, and its conversation's where it has one."""
        placed: Future[Place] = Future()
        span, carried = None, traceparent if read_traceparent(traceparent) else None
        if self._spans is not None:
            span = self._spans.send(Sent(topic.name, key, len(value), *about), traceparent)
            carried = span.traceparent
        headers: list[tuple[str, str | bytes | None]] = [(TRACEPARENT, carried.encode())] if carried else []
        told = _told(placed, topic.name, span, self._undelivered)
        try:
            self._producer.produce(topic.name, value, key, headers=headers or None, on_delivery=told)
        except KafkaException as exception:
            raise self._undelivered(cause(exception), topic.name) from exception
        return placed

    def _undelivered(self, error: KafkaError, topic: str) -> BotmeterError:
        """What a person has to mend stays what it is; anything else may be published again."""
        fault = classify(self._fault or error, f"WRITE on topic {topic}")
        return fault if isinstance(fault, ConfigurationError) else NotDelivered(str(fault))


def _spans(connection: Connection) -> Spans | None:
    if connection.tracer_provider is None:
        return None
    from botmeter.telemetry.spans import Spans  # noqa: PLC0415 - only those who trace have OpenTelemetry

    return Spans(connection.tracer_provider)


def _told(
    placed: Future[Place],
    topic: str,
    span: SendSpan | None,
    undelivered: Callable[[KafkaError, str], BotmeterError],
) -> Callable[[KafkaError | None, Message], None]:
    def tell(error: KafkaError | None, message: Message) -> None:
        place = Place(topic, int(message.partition() or 0), int(message.offset() or 0))
        if span is not None:
            _end(span, error, place)
        if not placed.set_running_or_notify_cancel():
            return
        if error is None:
            placed.set_result(place)
        else:
            placed.set_exception(undelivered(error, topic))

    return tell


def _end(span: SendSpan, error: KafkaError | None, place: Place) -> None:
    if error is None:
        span.acknowledged(place.partition, place.offset)
    else:
        span.failed(error.name())
