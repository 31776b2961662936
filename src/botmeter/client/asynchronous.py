"""`AsyncClient`: `Client` for programs on asyncio."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from botmeter.client.blocking import RESULT_TIMEOUT_S, ROOM_PAUSE_S, no_result
from botmeter.client.connection import Connection
from botmeter.client.decoding import Result
from botmeter.client.sending import Place, Sender, SentCommand
from botmeter.contracts.inputs import InteractionMessage, IssuedMessage


class AsyncClient:
    """Publishes interactions and sends commands. One serves a whole program; a cancelled `send` leaves nothing behind.

    >>> import asyncio
    >>> from botmeter.client import Accepted, AsyncClient, Connection, purchase_packs
    >>> async def buy():
    ...     async with AsyncClient(Connection("localhost:9092")) as client:
    ...         return await client.send(purchase_packs("acme", packs=1, issued_by="crm"), timeout_s=5)
    >>> isinstance(asyncio.run(buy()), Accepted)  # doctest: +SKIP
    True
    """

    def __init__(self, connection: Connection) -> None:
        """Connects in the background. Raises ConfigurationError for an option librdkafka does not take."""
        self._sender = Sender(connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def publish(self, interaction: InteractionMessage, traceparent: str | None = None) -> Place:
        """Publishes an interaction, waits until the brokers have acknowledged it, and returns its place.

        `traceparent` is the W3C trace context that it belongs to; every output that follows from it carries it too.

        Raises:
            NotDelivered: no acknowledgement in time.
            ClusterError: an operator has to fix something: a permission, a topic.
        """
        while True:
            try:
                return await asyncio.wrap_future(self._sender.publish(interaction, traceparent))
            except BufferError:  # the send buffer is full; it empties by acknowledgements or by NotDelivered
                await asyncio.sleep(ROOM_PAUSE_S)

    async def send(self, command: IssuedMessage, timeout_s: float = RESULT_TIMEOUT_S) -> Result:
        """Sends a command and waits for its result, which is final; a rejection is a result too.

        Raises:
            NoResult: none came in time; it may come later, and the same command sent again gets the same result.
            NotDelivered: no acknowledgement of the broker in time.
            ClusterError: an operator has to fix something.
        """
        sent = await self._send(command)
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.wrap_future(sent.result)
        except TimeoutError:
            raise no_result(sent, timeout_s) from None
        finally:
            self._sender.forget(sent)

    async def follow(self) -> None:
        """Starts following the results, so that the first `send` is faster. Raises ClusterError, Retriable."""
        await asyncio.to_thread(self._sender.follow)

    async def close(self) -> None:
        """Waits up to 30 s for outstanding acknowledgements, then closes the connections."""
        await asyncio.to_thread(self._sender.close)

    async def _send(self, command: IssuedMessage) -> SentCommand:
        while True:
            if not self._sender.is_following:
                await self.follow()
            try:
                return self._sender.send(command)
            except BufferError:
                await asyncio.sleep(ROOM_PAUSE_S)
