"""Reads, writes two records for each session that would begin, and commits: exactly once, with nothing decided.

Not a byte is decoded and no state is kept; every n-th record counts as a start. What is above this is the price of
deciding; what is below cannot be had with this client in Python, in one thread.

Arguments: brokers, group, input topic, records a session, topic of session starts, topic of balances.
"""

from __future__ import annotations

import signal
import sys

from confluent_kafka import Consumer, Producer

from botmeter.kafka import clients

BATCH: int = 20_000
TRANSACTION_TIMEOUT_MS: int = 60_000


def main(servers: str, group: str, topic: str, per_session: int, sessions: str, balances: str) -> None:
    """Runs until it is told to stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = clients.consumer_config({}, servers, group) | {
        "auto.offset.reset": "earliest",
        "enable.partition.eof": False,
    }
    consumer = Consumer(config)
    consumer.subscribe([topic])
    producer = clients.make_producer(clients.producer_config({}, servers, group, TRANSACTION_TIMEOUT_MS))
    producer.init_transactions()
    read = 0
    while True:
        records = consumer.consume(BATCH, timeout=0.05)
        if not records:
            continue
        producer.begin_transaction()
        first_start = -read % per_session
        starts = records[first_start::per_session]
        for record in starts:
            producer.produce(sessions, record.value(), record.key(), record.partition() or 0)
        _write_balances(producer, balances, {record.key(): record.partition() or 0 for record in starts})
        read += len(records)
        producer.send_offsets_to_transaction(
            consumer.position(consumer.assignment()), consumer.consumer_group_metadata()
        )
        producer.commit_transaction()


def _write_balances(producer: Producer, topic: str, accounts: dict[str | bytes | None, int]) -> None:
    for key, partition in accounts.items():
        producer.produce(topic, b"{}", key, partition)


if __name__ == "__main__":
    servers_, group_, input_, per_session_, sessions_, balances_ = sys.argv[1:]
    main(servers_, group_, input_, int(per_session_), sessions_, balances_)
