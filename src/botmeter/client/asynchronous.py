"""`AsyncClient`: the same as `Client` for programs on asyncio."""

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
    """Publishes and sends. One serves a whole program; whoever stops waiting is forgotten.

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
        """Publishes an interaction and waits until the brokers have it; where it is.

        `traceparent` is the W3C trace context that it belongs to, and goes with it to all that it leads to.

        Raises:
            NotDelivered: no acknowledgement in time.
            ClusterError: a person has to mend something: a permission, a topic.
        """
        while True:
            try:
                return await asyncio.wrap_future(self._sender.publish(interaction, traceparent))
            except BufferError:  # too much is on its way; that ends in acknowledgements or in NotDelivered
                await asyncio.sleep(ROOM_PAUSE_S)

    async def send(self, command: IssuedMessage, timeout_s: float = RESULT_TIMEOUT_S) -> Result:
        """Sends a command and waits for its result, which is final; a refusal is a result too.

        Raises:
            NoResult: none came in time; it may come later, and the same command again gives the same result.
            NotDelivered: no acknowledgement of the broker in time.
            ClusterError: a person has to mend something.
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
        """Starts following the results, so that the first `send` need not. Raises ClusterError, Retriable."""
        await asyncio.to_thread(self._sender.follow)

    async def close(self) -> None:
        """Waits up to 30 s for what is on its way, then lets the clients go."""
        await asyncio.to_thread(self._sender.close)

    async def _send(self, command: IssuedMessage) -> SentCommand:
        while True:
            if not self._sender.is_following:
                await self.follow()
            try:
                return self._sender.send(command)
            except BufferError:
                await asyncio.sleep(ROOM_PAUSE_S)
