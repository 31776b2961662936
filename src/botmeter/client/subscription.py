"""Reads an output topic as a member of a consumer group: committed records only, decoded, each message once.

A message counts as handled when the loop asks for the next one: then its id is remembered and its offset may be
committed. A loop that ends by an error leaves the message unhandled, and it comes again at the next start. So a message
may be handled twice if the process dies while handling it; `Received.id` is the same both times.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Generic, Literal, Self, TypeVar

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from botmeter.client.connection import Connection
from botmeter.client.decoding import Alert, Balance, Decode, Handoff, decode
from botmeter.client.errors import UnreadableRecord
from botmeter.client.seen import Seen, SeenInMemory
from botmeter.client.sending import Place
from botmeter.contracts.catalogue import ALERTS, BALANCES, HANDOFFS, Channel
from botmeter.errors import ConfigurationError
from botmeter.kafka import clients
from botmeter.kafka.errors import cause, classify

M = TypeVar("M")
#: Where a group that has never read the topic starts.
Start = Literal["earliest", "latest"]

#: How long to wait for a record before checking whether to stop.
_POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Received(Generic[M]):
    """A message with its id, its place and its trace context."""

    message: M
    #: `ce_id`: the idempotency key, the same whenever the message is read.
    id: str
    place: Place
    #: W3C trace context of the interaction or command it follows from, if that had one.
    traceparent: str | None


class Subscription(Generic[M]):
    """The messages of a topic, one after another, until stopped. Used by one thread or one task; any may call `stop`.

    Loop over it with `for` in a `with`, or with `async for` in an `async with`.
    """

    def __init__(
        self,
        connection: Connection,
        channel: Channel[Any, Decode[M]],
        *,
        group: str,
        start: Start = "earliest",
        seen: Seen | None = None,
    ) -> None:
        """Use `alerts`, `handoffs` or `balances` instead."""
        self._topic, self._channel = channel.topic_of(connection.topics).name, channel
        self._seen: Seen = SeenInMemory() if seen is None else seen
        self._stop_requested = threading.Event()
        config = clients.subscriber_config(connection.options, connection.bootstrap_servers, group, start)
        self._consumer = clients.make_consumer(config)
        self._consumer.subscribe([self._topic])
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"botmeter-{self._topic}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()
        await asyncio.to_thread(self.close)

    def __iter__(self) -> Iterator[Received[M]]:
        """The messages, until `stop`.

        Raises:
            ClusterError: an operator has to fix something: a permission, a topic.
            UnreadableRecord: another program writes to the topic.
        """
        while (received := self._next()) is not None:
            yield received
            self._mark_handled(received)

    async def __aiter__(self) -> AsyncIterator[Received[M]]:
        """As `__iter__`; a thread of its own waits for the records."""
        loop = asyncio.get_running_loop()
        while (received := await loop.run_in_executor(self._thread, self._next)) is not None:
            yield received
            self._mark_handled(received)

    def stop(self) -> None:
        """Ends the loop after the present message. Use it to leave the loop: after `break` that message comes again."""
        self._stop_requested.set()

    def close(self) -> None:
        """Commits the offsets of handled messages and leaves the group."""
        self._stop_requested.set()
        self._thread.shutdown()
        self._consumer.close()

    def _next(self) -> Received[M] | None:
        """The next message that was not handled yet; None once `stop` was called."""
        while not self._stop_requested.is_set():
            record = self._consumer.poll(_POLL_S)
            if record is None or self._is_transient(record.error()):
                continue
            received = self._received(record)
            if received is None or received.id in self._seen:
                self._store_offset(Place(self._topic, int(record.partition() or 0), int(record.offset() or 0)))
            else:
                return received
        return None

    def _is_transient(self, error: KafkaError | None) -> bool:
        """Whether there is an error from which librdkafka recovers by itself. Raises any other error."""
        if error is None:
            return False
        fault = classify(error, self._topic)
        if isinstance(fault, ConfigurationError) or error.fatal():
            raise fault
        return True

    def _received(self, record: Message) -> Received[M] | None:
        """The message, or None when its type was added by a later botmeter."""
        place = Place(self._topic, int(record.partition() or 0), int(record.offset() or 0))
        headers: dict[str, bytes] = dict(record.headers() or [])  # type: ignore[arg-type] # a list of pairs, without holes
        try:
            message = decode(self._channel, record.value())
            id_ = headers["ce_id"].decode()
        except (ValueError, KeyError) as error:
            raise UnreadableRecord(f"the record at {place} is not botmeter's: {error}") from None
        if message is None:
            return None
        traceparent = headers.get("traceparent")
        return Received(message, id_, place, None if traceparent is None else traceparent.decode("ascii", "replace"))

    def _mark_handled(self, received: Received[M]) -> None:
        self._seen.add(received.id)
        self._store_offset(received.place)

    def _store_offset(self, place: Place) -> None:
        """Lets the group continue after this record; librdkafka commits the offset within a second."""
        try:
            self._consumer.store_offsets(offsets=[TopicPartition(place.topic, place.partition, place.offset + 1)])
        except KafkaException as exception:
            # The partition went to another member meanwhile, which reads the record again; its id is the same.
            if cause(exception).code() != KafkaError._STATE:  # noqa: SLF001 - the constant's own name
                raise


def alerts(
    connection: Connection, *, group: str, start: Start = "earliest", seen: Seen | None = None
) -> Subscription[Alert]:
    """Thresholds reached and sessions used up, for programs that notify people.

    Args:
        connection: the cluster.
        group: of consumers that share the topic; each message goes to one of them.
        start: where a group that has never read the topic starts.
        seen: remembers handled messages; by default the latest 100,000, in memory.

    >>> from botmeter.client import Connection, alerts
    >>> with alerts(Connection("localhost:9092"), group="notifications") as subscription:  # doctest: +SKIP
    ...     for received in subscription:
    ...         print(received.message.account_id, received.message.percent)
    """
    return Subscription(connection, ALERTS, group=group, start=start, seen=seen)


def handoffs(
    connection: Connection, *, group: str, start: Start = "earliest", seen: Seen | None = None
) -> Subscription[Handoff]:
    """Chats handed to agents, bots suspended or resumed, for programs that route chats. Arguments as in `alerts`."""
    return Subscription(connection, HANDOFFS, group=group, start=start, seen=seen)


def balances(
    connection: Connection, *, group: str, start: Start = "earliest", seen: Seen | None = None
) -> Subscription[Balance]:
    """Each change of a balance that compaction has left, for programs that store them. Arguments as in `alerts`.

    For the present balances in memory use `BalanceTable`.
    """
    return Subscription(connection, BALANCES, group=group, start=start, seen=seen)
