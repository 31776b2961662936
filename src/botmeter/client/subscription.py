"""Reads an output topic as a member of a consumer group: decoded, committed records alone, each message once.

A message is handled when the loop comes back for the next one: then its id is remembered and its offset may be
committed. A loop that ends by an error leaves the message unhandled, and it comes again at the next start. So what is
done for a message may be done twice if the process dies in the middle of it; `Received.id` is the same both times.
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
#: Where a group begins that has never read the topic.
Start = Literal["earliest", "latest"]

#: How long to wait for a record before looking whether to stop.
_POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Received(Generic[M]):
    """A message with what is to be known of its record."""

    message: M
    #: `ce_id`: the idempotency key, the same whenever the message is read.
    id: str
    place: Place
    #: W3C trace context of the interaction or command it came from, if that had one.
    traceparent: str | None


class Subscription(Generic[M]):
    """The messages of a topic, one after the other, for ever. Used by one thread or one task; `stop` by any.

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
        """Made by `alerts`, `handoffs` and `balances`."""
        self._topic, self._channel = channel.topic_of(connection.topics).name, channel
        self._seen: Seen = SeenInMemory() if seen is None else seen
        self._stop_asked = threading.Event()
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
            ClusterError: a person has to mend something: a permission, a topic.
            UnreadableRecord: somebody else writes to the topic.
        """
        while (received := self._next()) is not None:
            yield received
            self._is_handled(received)

    async def __aiter__(self) -> AsyncIterator[Received[M]]:
        """As `__iter__`; a thread of its own waits for the records."""
        loop = asyncio.get_running_loop()
        while (received := await loop.run_in_executor(self._thread, self._next)) is not None:
            yield received
            self._is_handled(received)

    def stop(self) -> None:
        """Ends the loop after the message it is at. Leave the loop by this: after `break` that message comes again."""
        self._stop_asked.set()

    def close(self) -> None:
        """Commits what is handled and leaves the group."""
        self._stop_asked.set()
        self._thread.shutdown()
        self._consumer.close()

    def _next(self) -> Received[M] | None:
        """The next message that was not handled yet; None once `stop` was called."""
        while not self._stop_asked.is_set():
            record = self._consumer.poll(_POLL_S)
            if record is None or self._is_passing(record.error()):
                continue
            received = self._received(record)
            if received is None or received.id in self._seen:
                self._store(Place(self._topic, int(record.partition() or 0), int(record.offset() or 0)))
            else:
                return received
        return None

    def _is_passing(self, error: KafkaError | None) -> bool:
        """Whether there is an error that the client gets over by itself. Raises the others."""
        if error is None:
            return False
        fault = classify(error, self._topic)
        if isinstance(fault, ConfigurationError) or error.fatal():
            raise fault
        return True

    def _received(self, record: Message) -> Received[M] | None:
        """The message, or None when it is of a type that a later botmeter added."""
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

    def _is_handled(self, received: Received[M]) -> None:
        self._seen.add(received.id)
        self._store(received.place)

    def _store(self, place: Place) -> None:
        """From here on the group goes on after this record; librdkafka commits it within a second."""
        try:
            self._consumer.store_offsets(offsets=[TopicPartition(place.topic, place.partition, place.offset + 1)])
        except KafkaException as exception:
            # The partition went to another member meanwhile, which reads the record again and knows it by its id.
            if cause(exception).code() != KafkaError._STATE:  # noqa: SLF001 - so it is called
                raise


def alerts(
    connection: Connection, *, group: str, start: Start = "earliest", seen: Seen | None = None
) -> Subscription[Alert]:
    """Thresholds reached and sessions used up, for those who tell people.

    Args:
        connection: the cluster.
        group: of consumers that share the topic; each message goes to one of them.
        start: where a group begins that has never read the topic.
        seen: remembers what was handled; the latest 100,000 in memory by default.

    >>> from botmeter.client import Connection, alerts
    >>> with alerts(Connection("localhost:9092"), group="notifications") as subscription:  # doctest: +SKIP
    ...     for received in subscription:
    ...         print(received.message.account_id, received.message.percent)
    """
    return Subscription(connection, ALERTS, group=group, start=start, seen=seen)


def handoffs(
    connection: Connection, *, group: str, start: Start = "earliest", seen: Seen | None = None
) -> Subscription[Handoff]:
    """Chats that go to agents, bots that stand still or go on, for those who route chats. Arguments as of `alerts`."""
    return Subscription(connection, HANDOFFS, group=group, start=start, seen=seen)


def balances(
    connection: Connection, *, group: str, start: Start = "earliest", seen: Seen | None = None
) -> Subscription[Balance]:
    """Each change of a balance that compaction has left, for those who keep them. Arguments as of `alerts`.

    Whoever wants the present balances at hand takes `BalanceTable`.
    """
    return Subscription(connection, BALANCES, group=group, start=start, seen=seen)
