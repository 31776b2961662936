"""`Client`: publishes interactions, sends commands, and waits for their acknowledgements and results."""

from __future__ import annotations

import concurrent.futures
import time
from concurrent.futures import Future
from types import TracebackType
from typing import Final, Self

from botmeter.client.connection import Connection
from botmeter.client.decoding import Result
from botmeter.client.errors import NoResult, NotDelivered
from botmeter.client.sending import Place, Sender, SentCommand
from botmeter.contracts.inputs import InteractionMessage, IssuedMessage

#: How long a result may take; a running worker answers within a second.
RESULT_TIMEOUT_S: Final = 30.0
#: How long to wait for room in a full send buffer, and how often to try.
_ROOM_TIMEOUT_S: Final = 30.0
ROOM_PAUSE_S: Final = 0.005


class Client:
    """Publishes interactions and sends commands. One serves many threads; it is closed at the end of the `with`.

    >>> from botmeter.client import Client, Connection, interaction, open_account
    >>> with Client(Connection("localhost:9092")) as client:  # doctest: +SKIP
    ...     result = client.send(open_account("acme", plan="growth", issued_by="crm"))
    ...     place = client.publish(interaction("acme", end_user_id="u-1", conversation_id="c-1", bot_id="b-1"))
    >>> result  # doctest: +SKIP
    Accepted(command_id='...', account_id='acme', version=3, at=1795456800000)
    """

    def __init__(self, connection: Connection) -> None:
        """Connects in the background. Raises ConfigurationError for an option librdkafka does not take."""
        self._sender = Sender(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def publish(self, interaction: InteractionMessage, traceparent: str | None = None) -> Place:
        """Publishes an interaction, waits until the brokers have acknowledged it, and returns its place.

        `traceparent` is the W3C trace context that it belongs to; every output that follows from it carries it too.

        Raises:
            NotDelivered: no acknowledgement in time.
            ClusterError: an operator has to fix something: a permission, a topic.
        """
        return self.publish_soon(interaction, traceparent).result()

    def publish_soon(self, interaction: InteractionMessage, traceparent: str | None = None) -> Future[Place]:
        """Publishes an interaction without waiting, for high rates; the future has the result or error of `publish`.

        Raises NotDelivered when the send buffer stays full for 30 s.
        """
        deadline = time.monotonic() + _ROOM_TIMEOUT_S
        while True:
            try:
                return self._sender.publish(interaction, traceparent)
            except BufferError:
                if time.monotonic() > deadline:
                    raise NotDelivered(f"the brokers took no record for {_ROOM_TIMEOUT_S:.0f} s") from None
            time.sleep(ROOM_PAUSE_S)

    def send(self, command: IssuedMessage, timeout_s: float = RESULT_TIMEOUT_S) -> Result:
        """Sends a command and waits for its result, which is final; a rejection is a result too.

        Raises:
            NoResult: none came in time; it may come later.
            NotDelivered: no acknowledgement of the broker in time.
            ClusterError: an operator has to fix something.
        """
        sent = self._sender.send(command)
        try:
            return sent.result.result(timeout_s)
        except concurrent.futures.TimeoutError:
            raise no_result(sent, timeout_s) from None
        finally:
            self._sender.forget(sent)

    def close(self) -> None:
        """Waits up to 30 s for outstanding acknowledgements, then closes the connections."""
        self._sender.close()


def no_result(sent: SentCommand, timeout_s: float) -> NoResult:
    """The error for a command without a result; it says whether the broker has the command."""
    is_placed = sent.placed.done() and not sent.placed.cancelled()
    where = f"it is at {sent.placed.result()}; does a worker run?" if is_placed else "the broker has not taken it yet"
    return NoResult(
        f"no result for command {sent.command_id} of account {sent.account_id} within {timeout_s:g} s; {where}"
    )
