"""What customers and administrators send in a history."""

from __future__ import annotations

from random import Random

from botmeter.contracts.topics import Topics, partition_of
from botmeter.simulation.accounts import population
from botmeter.simulation.records import SimulatedRecord
from botmeter.simulation.traffic import Mix, Traffic
from memory_kafka.broker import MemoryBroker

_MIX = Mix(bad_share=0.05, duplicate_share=0.05, late_share=0.05, command_share=0.15, new_user_share=0.6, open_chats=6)


class Source:
    """Writes inputs, some of them in transactions of its own."""

    def __init__(self, broker: MemoryBroker, topics: Topics, partitions: int, accounts: int, dice: Random) -> None:
        self._broker, self._partitions, self._dice = broker, partitions, dice
        self._traffic = Traffic(dice.randrange(1 << 30), population(accounts), topics, partitions, _MIX)
        self._transactions = 0
        self.written = 0

    def open_accounts(self) -> None:
        for record in self._traffic.opening():
            self._write(record, None)

    def write(self, count: int, *, in_transaction: bool) -> None:
        """So many more."""
        world = self._broker.world
        records = self._traffic.take(count, world.now_ms)
        if not in_transaction:
            for record in records:
                self._write(record, None)
            return
        self._transactions += 1
        name, transactions = f"source-{self._transactions}", self._broker.transactions
        producer = transactions.init_producer(name, 60_000)
        for record in records:
            transactions.add(name, producer, [(record.topic, self._partition(record))])
            self._write(record, producer)
        is_commit = self._dice.random() < 0.7
        world.after(self._dice.randint(1, 3_000), lambda: transactions.end(name, producer, is_commit))

    def write_with_own_time(self) -> None:
        """One more, while its topic is set otherwise than billing needs."""
        [record] = self._traffic.take(1, self._broker.world.now_ms)
        log = self._broker.log((record.topic, self._partition(record)))
        log.has_brokers_time = False
        self._write(record, None)
        log.has_brokers_time = True

    def _write(self, record: SimulatedRecord, producer: tuple[int, int] | None) -> None:
        now_ms = self._broker.world.now_ms
        log = self._broker.log((record.topic, self._partition(record)))
        log.append(record.key, record.value, None, now_ms, now_ms, producer)
        self.written += 1

    def _partition(self, record: SimulatedRecord) -> int:
        return partition_of(record.key or b"", self._partitions) if record.partition is None else record.partition
