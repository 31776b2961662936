"""Waits for the results of commands: one reader of `botmeter.command-results` serves all callers.

A result is found by account and command id. The reader fixes its start offsets before a command is sent, so it cannot
miss the result; and it reads committed records only, so a result is final.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from confluent_kafka import Consumer, Message, TopicPartition

from botmeter.client.connection import Connection
from botmeter.client.decoding import Result, decode
from botmeter.client.errors import UnreadableRecord
from botmeter.contracts.catalogue import COMMAND_RESULTS
from botmeter.errors import BotmeterError, Retriable
from botmeter.kafka import clients, questions
from botmeter.kafka.errors import END_OF_PARTITION, classify
from botmeter.kafka.reader import available_messages

#: How long the reader waits for a record before it checks whether to stop.
_POLL_S: Final = 0.1
_BATCH: Final = 1_000
#: librdkafka requires a group even for a reader that never joins one.
RESULTS_GROUP: Final = "botmeter-client-results"

#: Account id and command id.
CommandKey = tuple[str, str]


class Results:
    """Resolves a future for each awaited result. Used by any number of threads."""

    def __init__(self, connection: Connection) -> None:
        """Does not connect yet."""
        self._connection = connection
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._waiting: dict[CommandKey, list[Future[Result]]] = {}
        self._reader: _Reader | None = None

    @property
    def is_following(self) -> bool:
        """Whether results that are written from now on will be read."""
        reader = self._reader
        return reader is not None and not reader.has_ended

    def follow(self) -> None:
        """Starts reading from the present end of the topic; does nothing if it is reading already.

        Raises:
            ClusterError: the topic is missing or may not be read.
            Retriable: the cluster does not answer.
        """
        with self._starting:
            if not self.is_following:
                self._reader = _Reader(self._connection, self._resolve, self._fail_all)
                self._reader.start()

    def expect(self, account_id: str, command_id: str) -> Future[Result]:
        """A future for the result of a command that is sent after this call and `follow`; `forget` releases it."""
        future: Future[Result] = Future()
        with self._lock:
            self._waiting.setdefault((account_id, command_id), []).append(future)
        return future

    def forget(self, account_id: str, command_id: str, future: Future[Result]) -> bool:
        """Removes a future that no caller waits for any more; returns whether it was still open."""
        with self._lock:
            waiting = self._waiting.get((account_id, command_id), [])
            was_open = future in waiting
            if was_open:
                waiting.remove(future)
                if not waiting:
                    del self._waiting[account_id, command_id]
        return was_open

    def fail(self, account_id: str, command_id: str, future: Future[Result], error: BaseException) -> None:
        """Sets the error on the future, unless its result has come by now."""
        if self.forget(account_id, command_id, future) and future.set_running_or_notify_cancel():
            future.set_exception(error)

    def close(self) -> None:
        """Stops the reader and cancels open futures."""
        with self._starting:
            if self._reader is not None:
                self._reader.stop()
                self._reader = None
        for future in self._pop_all():
            future.cancel()

    def _resolve(self, result: Result) -> None:
        with self._lock:
            futures = self._waiting.pop((result.account_id, result.command_id), [])
        for future in futures:
            if future.set_running_or_notify_cancel():
                future.set_result(result)

    def _fail_all(self, error: BaseException) -> None:
        for future in self._pop_all():
            if future.set_running_or_notify_cancel():
                future.set_exception(error)

    def _pop_all(self) -> list[Future[Result]]:
        with self._lock:
            futures = [future for waiting in self._waiting.values() for future in waiting]
            self._waiting.clear()
        return futures


class _Reader(threading.Thread):
    """Reads until it is stopped, or until an error that a retry would not fix."""

    def __init__(
        self,
        connection: Connection,
        resolve: Callable[[Result], None],
        fail_all: Callable[[BaseException], None],
    ) -> None:
        """Looks up where the topic ends. Raises ClusterError, Retriable."""
        super().__init__(name="botmeter-results", daemon=True)
        self._topic = connection.topics.command_results.name
        self._resolve, self._fail_all = resolve, fail_all
        self._stop_requested = threading.Event()
        #: Set before the open futures fail, so that a caller who sends again after that starts a new reader.
        self.has_ended = False
        servers, options = connection.bootstrap_servers, connection.options
        with clients.make_admin(clients.admin_config(options, servers)) as admin:
            numbers = range(questions.partitions_of(admin, self._topic))
            ends = questions.end_offsets(admin, self._topic, numbers)
        self._from = [TopicPartition(self._topic, number, end) for number, end in ends.items()]
        self._consumer: Consumer = clients.make_consumer(clients.reader_config(options, servers, RESULTS_GROUP))

    def run(self) -> None:
        """Reads results; if reading fails, all open futures get the error."""
        try:
            self._consumer.assign(self._from)
            while not self._stop_requested.is_set():
                for message in available_messages(self._consumer, _BATCH, _POLL_S):
                    self._take(message)
        except BaseException as error:  # noqa: BLE001 - set on all open futures; the next `follow` starts a new reader
            self.has_ended = True
            self._fail_all(error)
        finally:
            self._consumer.close()

    def stop(self) -> None:
        """Stops the thread and waits until it has ended."""
        self._stop_requested.set()
        self.join()

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is None:
            self._resolve_from(message)
        elif error.code() != END_OF_PARTITION:
            fault: BotmeterError = classify(error, f"READ on topic {self._topic}, group {RESULTS_GROUP}")
            if not isinstance(fault, Retriable):  # librdkafka recovers from those by itself
                raise fault

    def _resolve_from(self, message: Message) -> None:
        try:
            result = decode(COMMAND_RESULTS, message.value())
        except ValueError as error:
            place = f"{self._topic}, partition {message.partition()}, offset {message.offset()}"
            raise UnreadableRecord(f"{place}: no result: {error}") from None
        if result is not None:
            self._resolve(result)
