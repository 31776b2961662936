"""An account's records in the topics: those with its key, in its partition of each topic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event as Flag
from types import TracebackType
from typing import Final, Self, cast

from confluent_kafka import Message

from botmeter.client.connection import Connection
from botmeter.contracts import catalogue
from botmeter.contracts.rules import RulesHistory
from botmeter.contracts.topics import Topic, partition_of
from botmeter.domain.account import Account, evolve
from botmeter.domain.announcements import Balance
from botmeter.domain.events import Event
from botmeter.domain.prices import Rules
from botmeter.kafka import clients, questions
from botmeter.kafka.reader import committed_records
from botmeter.kafka.rules_log import read_rules
from botmeter.metering.records import Record

#: librdkafka requires a group even for a reader that never joins one.
LOG_GROUP: Final = "botmeter-account-log"

#: Called with the topic, the offset read to, and the offset at which reading ends.
Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Standing:
    """An account after all its events below `journal_offset` of the partition; `at` as in a balance."""

    account: Account
    at: int
    partition: int
    journal_offset: int


class AccountLog:
    """Reads the committed records of one account. Used in a `with`, by one thread."""

    def __init__(self, connection: Connection, account_id: str, report: Report = lambda *_: None) -> None:
        """Connects only when the block is entered; `report` is called with the progress of reading."""
        self._connection, self._report = connection, report
        self.account_id, self._key = account_id, account_id.encode()

    def __enter__(self) -> Self:
        """Finds the account's partition. Raises ClusterError, Retriable."""
        servers, options = self._connection.bootstrap_servers, self._connection.options
        self._admin = clients.make_admin(clients.admin_config(options, servers))
        self._reader = clients.make_consumer(clients.reader_config(options, servers, LOG_GROUP))
        partitions = questions.partitions_of(self._admin, self._connection.topics.journal.name)
        self.partition = partition_of(self._key, partitions)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._reader.close()

    def records(self, topic: Topic, start: int = 0, end: int | None = None) -> Iterator[Message]:
        """The account's records of a topic from offset `start` on, up to `end` or its end as of now.

        Raises ClusterError, Retriable.
        """
        [begin] = questions.begin_offsets(self._admin, topic.name, [self.partition]).values()
        if end is None:
            [end] = questions.end_offsets(self._admin, topic.name, [self.partition]).values()
        chunks = committed_records(self._reader, topic.name, self.partition, max(begin, start), end, Flag())
        for chunk in chunks:
            yield from (record for record in chunk if record.key() == self._key)
            self._report(topic.name, int(chunk[-1].offset() or 0) + 1, end)
        self._report(topic.name, end, end)  # control records of transactions may have come last

    def inputs(self, group: str) -> tuple[list[Record], list[Record]]:
        """The account's interactions and commands that still exist and that the workers of `group` have taken.

        Their events are in the journal by now. Raises ClusterError, Retriable.
        """
        topics = self._connection.topics
        committed = self._committed(group)

        def read(topic: Topic) -> list[Record]:
            # Without an error a message is a record: it has a topic, an offset and a timestamp.
            return cast("list[Record]", list(self.records(topic, end=committed[topic.name])))

        return read(topics.interactions), read(topics.commands)

    def _committed(self, group: str) -> dict[str, int | None]:
        """The group's committed offset in the account's partition of each input, None without one."""
        topics = self._connection.topics
        places = [(topic.name, self.partition) for topic in (topics.interactions, topics.commands)]
        config = clients.reader_config(self._connection.options, self._connection.bootstrap_servers, group)
        asker = clients.make_consumer(clients.query_config(config))
        try:
            answers = questions.committed_offsets(asker, places)
        finally:
            asker.close()
        return {topic: offset for (topic, _), offset in answers.items()}

    def events(self, start: int = 0) -> Iterator[Event]:
        """The account's journal from offset `start` on. Raises ClusterError, Retriable."""
        return (event for _, event in self.placed_events(start))

    def placed_events(self, start: int = 0) -> Iterator[tuple[int, Event]]:
        """As `events`, each with its offset."""
        for record in self.records(self._connection.topics.journal, start):
            yield record.offset() or 0, catalogue.JOURNAL.decode(record.value() or b"")

    def rules(self, unrecorded: Rules) -> RulesHistory:
        """The rules recorded in the log, and `unrecorded` before the first record. Raises ClusterError, Retriable."""
        return read_rules(self._reader, self._admin, self._connection.topics.rules.name, unrecorded, Flag())

    def balance(self) -> Balance | None:
        """The account's latest balance, None when there is none. Raises ClusterError, Retriable."""
        latest = None
        for record in self.records(self._connection.topics.balances):
            latest = catalogue.BALANCES.decode(record.value())
        return latest

    def standing(self) -> Standing | None:
        """The account as it is now, from its snapshot and the later events of the journal; None when there is none.

        Raises ClusterError, Retriable.
        """
        balance = self.balance()
        account, start = self._snapshot()
        at = 0 if balance is None else balance.at
        [end] = questions.end_offsets(self._admin, self._connection.topics.journal.name, [self.partition]).values()
        for event in self.events(start):
            if account is None or event.version > account.version:
                account, at = evolve(account, event), event.at
        return None if account is None else Standing(account, at, self.partition, end)

    def _snapshot(self) -> tuple[Account | None, int]:
        """The latest snapshot if it can be read, else None; and the journal offset from which events must be added."""
        latest: tuple[Account | None, int] = (None, 0)
        for record in self.records(self._connection.topics.snapshots):
            try:
                latest = catalogue.SNAPSHOTS.decode(record.value() or b"")
            except ValueError:  # of another release, or a tombstone: the journal is read from its beginning
                latest = (None, 0)
        return latest
