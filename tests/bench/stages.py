"""The pure step alone: processor time a record, without Kafka, RocksDB and threads.

Records of one kind each, so that what a kind costs stands by itself; the rest of a worker's time a record is the
client's, the transaction's and the store's.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from typing import Final

from botmeter.contracts.decoding import decode_interaction
from botmeter.contracts.topics import Topics
from botmeter.domain.prices import Rules
from botmeter.metering.pipeline import Meter
from botmeter.metering.state import PartitionState
from botmeter.metering.store import MemoryStore
from botmeter.replay.tape import TapeRecord

from .bench import Bench, say
from .results import Case, Column, Figures
from .traffic import Accounts, Keyed, Mix, interactions

COLUMNS: Final = (Column("us", "CPU us a record", "{:.2f}"),)
_MIX: Final = Mix(20)
_BATCH: Final = 20_000
_TOPICS: Final = Topics.named()
_CACHE_WINDOWS: Final = 10_000_000


def measure(bench: Bench) -> Iterator[Case]:
    """One case; the pure step does not depend on the engines that take part."""
    records = min(bench.plan.records, 400_000)
    openings = [_record(offset, keyed, _TOPICS.commands.name) for offset, keyed in enumerate(Accounts(1).commands())]
    made = [_record(offset, keyed) for offset, keyed in enumerate(interactions(_MIX, records, Accounts(1)))]
    replies = [record for record in made if b'"actor":"bot"' in _value(record)]
    messages = [record for record in made if b'"actor":"end_user"' in _value(record)]
    firsts = list({_end_user(record): record for record in reversed(messages)}.values())[::-1]
    rows: dict[str, Figures] = {}
    gc.freeze()  # the records held here are no part of a worker's heap, so its collector would not walk them
    for _ in range(bench.plan.repeats):
        mixed, known = _opened(openings), _opened(openings)
        _deciding_us(known, made)
        found = {
            "decoding alone": _decoding_us(made),
            "a bot's reply: decoded, ignored": _deciding_us(known, replies),
            "a message that joins a session in memory": _deciding_us(known, messages),
            "a message that opens a session": _deciding_us(_opened(openings), firsts),
            f"{_MIX.title} opens a session, half are replies": _deciding_us(mixed, made),
        }
        for label, us in found.items():
            rows.setdefault(label, {}).setdefault("us", []).append(us)
        say(f"  {', '.join(f'{label}: {us:.2f}' for label, us in found.items())}")
    yield Case("the pure step", rows)


def _deciding_us(meter: Meter, records: Sequence[TapeRecord]) -> float:
    """Decoded, decided and encoded, in batches as the worker takes them."""
    began = time.process_time()
    for start in range(0, len(records), _BATCH):
        with meter.batch():
            meter.take_interactions(records[start : start + _BATCH])
    return (time.process_time() - began) / len(records) * 1e6


def _decoding_us(records: Sequence[TapeRecord]) -> float:
    began = time.process_time()
    for record in records:
        decode_interaction(record.value())
    return (time.process_time() - began) / len(records) * 1e6


def _opened(openings: Sequence[TapeRecord]) -> Meter:
    """A partition with the accounts of the traffic, opened before it: what came earlier is no plain start."""
    state = PartitionState(MemoryStore(), Rules(), _CACHE_WINDOWS)
    meter = Meter(0, 1, state, _TOPICS, Rules(), next_offset=0)
    with meter.batch():
        for record in openings:
            meter.take_command(record)
    return meter


def _record(offset: int, keyed: Keyed, topic: str = _TOPICS.interactions.name) -> TapeRecord:
    key, value, partition = keyed
    return TapeRecord(topic, partition, offset, key, value, time.time_ns() // 1_000_000, [])


def _value(record: TapeRecord) -> bytes:
    return record.value() or b""


def _end_user(record: TapeRecord) -> bytes:
    return _value(record).partition(b'"end_user_id":"')[2].partition(b'"')[0]
