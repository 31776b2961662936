"""Measures the pure step alone: processor time a record, without Kafka, RocksDB and threads.

.venv/bin/python tests/benchmarks/decide_cost.py
"""

from __future__ import annotations

import json
import time

from worker_throughput import ACCOUNTS, TOPICS, commands, traffic

from botmeter.contracts.decoding import decode_interaction
from botmeter.domain.prices import Rules
from botmeter.metering.pipeline import Meter
from botmeter.metering.state import PartitionState
from botmeter.metering.store import MemoryStore
from botmeter.replay.tape import TapeRecord

BATCH = 20_000
NOW_MS = time.time_ns() // 1_000_000


def main() -> None:
    """Prints microseconds a record of several mixes."""
    mixed, sessions = records(200_000, per_session=20), records(40_000, per_session=1)
    print(f"{decoding_us(mixed):6.2f} us  decoding alone")
    meter = opened()
    print(f"{deciding_us(meter, mixed):6.2f} us  one record in 20 opens a session")
    print(f"{deciding_us(meter, mixed):6.2f} us  none does: half join one, half are a bot's")
    print(f"{deciding_us(opened(), sessions):6.2f} us  every record opens a session")


def records(count: int, per_session: int) -> list[TapeRecord]:
    """Interactions as the benchmark of the worker has them."""
    return [
        record(TOPICS.interactions.name, offset, account_id, interaction)
        for offset, (account_id, interaction) in enumerate(traffic(count, per_session))
    ]


def record(topic: str, offset: int, key: str, value: dict[str, object]) -> TapeRecord:
    """A record with the face of the Kafka client's."""
    return TapeRecord(topic, 0, offset, key.encode(), json.dumps(value, separators=(",", ":")).encode(), NOW_MS, [])


def opened() -> Meter:
    """A partition with accounts that do not run out."""
    meter = Meter(0, 1, PartitionState(MemoryStore(), Rules(), 10_000_000), TOPICS, Rules(), next_offset=0)
    meter.begin()
    for number in range(ACCOUNTS):
        for command in commands(f"account-{number}"):
            meter.take_command(record(TOPICS.commands.name, number, str(command["account_id"]), command))
    meter.end()
    return meter


def deciding_us(meter: Meter, taken: list[TapeRecord]) -> float:
    """Processor time a record, decoded, decided and encoded."""
    began = time.process_time()
    for start in range(0, len(taken), BATCH):
        meter.begin()
        meter.take_interactions(taken[start : start + BATCH])
        meter.end()
    return (time.process_time() - began) / len(taken) * 1e6


def decoding_us(taken: list[TapeRecord]) -> float:
    """Processor time a record, decoded only."""
    began = time.process_time()
    for one in taken:
        decode_interaction(one.value())
    return (time.process_time() - began) / len(taken) * 1e6


if __name__ == "__main__":
    main()
