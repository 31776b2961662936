"""Runs simulated records through the pure step, on the partitions that Kafka would put them on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from botmeter.contracts.topics import Topics, partition_of
from botmeter.domain.prices import Rules
from botmeter.metering.pipeline import Meter
from botmeter.metering.records import Output
from botmeter.metering.state import PartitionState
from botmeter.metering.store import MemoryStore
from botmeter.replay.tape import TapeRecord
from botmeter.simulation.records import SimulatedRecord

TOPICS = Topics.named()
PARTITIONS = 4
NOW_MS = 1_795_000_000_000


def meter(records: Iterable[SimulatedRecord]) -> Iterator[Output]:
    """The outputs of all records, received at NOW_MS."""
    taken: defaultdict[int, list[SimulatedRecord]] = defaultdict(list)
    for record in records:
        taken[partition(record)].append(record)
    for number, of_partition in taken.items():
        state = PartitionState(MemoryStore(), Rules(), cache_windows=1_000_000)
        step = Meter(number, PARTITIONS, state, TOPICS, Rules(), next_offset=0)
        with step.batch() as decided:
            for offset, record in enumerate(of_partition):
                read = TapeRecord(record.topic, number, offset, record.key, record.value, NOW_MS, [])
                if record.topic == TOPICS.commands.name:
                    step.take_command(read)
                else:
                    step.take_interactions([read])
        yield from decided.outputs


def partition(record: SimulatedRecord) -> int:
    return partition_of(record.key or b"", PARTITIONS) if record.partition is None else record.partition


def reasons(outputs: Iterable[Output]) -> list[str]:
    """Of the dead letters among the outputs."""
    return [
        (value or b"").decode()
        for output in outputs
        if output.topic == TOPICS.dead_letters.name
        for name, value in output.headers
        if name == "botmeter_reason"
    ]
