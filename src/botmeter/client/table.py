"""The present balance of every account, held in memory and kept up to date."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from confluent_kafka import Message, TopicPartition

from botmeter.client.connection import Connection
from botmeter.client.decoding import Balance, decode
from botmeter.client.errors import UnreadableRecord
from botmeter.contracts.catalogue import BALANCES
from botmeter.errors import Retriable
from botmeter.kafka import clients, questions
from botmeter.kafka.errors import END_OF_PARTITION, classify
from botmeter.kafka.reader import available_messages

_POLL_S: Final = 0.1
_BATCH: Final = 5_000
#: librdkafka requires a group even for a reader that never joins one.
BALANCES_GROUP: Final = "botmeter-client-balances"


class BalanceTable:
    """The latest balances of all accounts, for any number of threads. Use it in a `with`; it reads the whole topic.

    >>> from botmeter.client import BalanceTable, Connection
    >>> with BalanceTable(Connection("localhost:9092")) as table:  # doctest: +SKIP
    ...     balance = table.get("acme")
    ...     print("agents" if balance is None or balance.status != "active" else "bot")
    """

    def __init__(self, connection: Connection) -> None:
        """Connects only when the block is entered."""
        self._connection = connection
        self._topic = connection.topics.balances.name
        self._latest: dict[str, Balance] = {}
        self._left: dict[int, int] = {}
        self._is_loaded, self._stop_requested = threading.Event(), threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._read, name="botmeter-balances", daemon=True)

    def __enter__(self) -> Self:
        """Reads the whole topic; from then on the table follows it.

        Raises:
            ClusterError: the topic is missing or may not be read.
            Retriable: the cluster does not answer.
        """
        servers, options = self._connection.bootstrap_servers, self._connection.options
        with clients.make_admin(clients.admin_config(options, servers)) as admin:
            numbers = range(questions.partitions_of(admin, self._topic))
            begins = questions.begin_offsets(admin, self._topic, numbers)
            ends = questions.end_offsets(admin, self._topic, numbers)
        self._left = {number: end for number, end in ends.items() if end > begins[number]}
        self._from = [TopicPartition(self._topic, number, begin) for number, begin in begins.items()]
        self._consumer = clients.make_consumer(clients.reader_config(options, servers, BALANCES_GROUP))
        self._thread.start()
        self._is_loaded.wait()
        self._require_health()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop_requested.set()
        self._thread.join()

    def get(self, account_id: str) -> Balance | None:
        """The latest balance of an account, None when there is none. Raises the error that ended the reader, if any."""
        self._require_health()
        return self._latest.get(account_id)

    def all(self) -> Mapping[str, Balance]:
        """The latest balance of each account, as of now. Raises the error that ended the reader, if any."""
        self._require_health()
        return dict(self._latest)

    def _require_health(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _read(self) -> None:
        try:
            self._consumer.assign(self._from)
            while not self._stop_requested.is_set():
                if not self._left:
                    self._is_loaded.set()
                for message in available_messages(self._consumer, _BATCH, _POLL_S):
                    self._take(message)
        except BaseException as error:  # noqa: BLE001 - raised by the next get() or all()
            self._fault = error
        finally:
            self._is_loaded.set()
            self._consumer.close()

    def _take(self, message: Message) -> None:
        error, number, offset = message.error(), int(message.partition() or 0), int(message.offset() or 0)
        if error is None:
            self._keep(message)
        elif error.code() != END_OF_PARTITION:
            fault = classify(error, f"READ on topic {self._topic}, group {BALANCES_GROUP}")
            if not isinstance(fault, Retriable):  # librdkafka recovers from those by itself
                raise fault
            return
        if offset + (error is None) >= self._left.get(number, 0):
            self._left.pop(number, None)

    def _keep(self, message: Message) -> None:
        try:
            balance = decode(BALANCES, message.value())
        except ValueError as error:
            place = f"{self._topic}/{message.partition()}/{message.offset()}"
            raise UnreadableRecord(f"the record at {place} is not a balance: {error}") from None
        if balance is not None:
            known = self._latest.get(balance.account_id)
            if known is None or known.version < balance.version:
                self._latest[balance.account_id] = balance
