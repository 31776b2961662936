"""The two views of the outputs: what readers of committed records see, and what is there at all.

Which transaction each record belongs to, and how that ended, is read from the brokers' own files: no client tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Final

from confluent_kafka import Message

from botmeter.kafka import clients
from worker.cluster import Cluster, Place, read_up_to

from .brokers import Brokers

#: A batch of records, as Kafka's documentation has it ("Record Batch"), up to its records.
_HEAD: Final = Struct(">qiibIhiqqqhii")
_TRANSACTIONAL, _CONTROL = 0x10, 0x20
#: Of a control record, before its key: length, attributes, two deltas and the key's length, each one byte here.
_BEFORE_KEY: Final = 5
_COMMIT: Final = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one producer, as a broker keeps them."""

    first: int
    last: int
    producer: tuple[int, int]
    is_transactional: bool
    #: Whether this is the end of a transaction, and then whether it was committed.
    ends: bool | None

    @property
    def offsets(self) -> range:
        return range(self.first, self.last + 1)


def batches(path: Path) -> Iterator[Batch]:
    """All whole batches of a segment."""
    content, at = path.read_bytes(), 0
    while at + _HEAD.size <= len(content):
        first, length, _, _, _, attributes, last_delta, _, _, producer, epoch, _, _ = _HEAD.unpack_from(content, at)
        if length == 0:  # the file is larger than what is in it
            return
        ends = None
        if attributes & _CONTROL:
            key = at + _HEAD.size + _BEFORE_KEY
            ends = int.from_bytes(content[key + 2 : key + 4], "big") == _COMMIT
        yield Batch(first, first + last_delta, (producer, epoch), bool(attributes & _TRANSACTIONAL), ends)
        at += 12 + length


def fates(found: list[Batch]) -> tuple[set[int], set[int]]:
    """The offsets of committed and of aborted records; those of an open transaction are in neither."""
    committed: set[int] = set()
    aborted: set[int] = set()
    waiting: dict[int, list[Batch]] = {}
    for batch in found:
        producer, _ = batch.producer
        if batch.ends is not None:
            into = committed if batch.ends else aborted
            into.update(offset for ended in waiting.pop(producer, []) for offset in ended.offsets)
        elif batch.is_transactional:
            waiting.setdefault(producer, []).append(batch)
        else:
            committed.update(batch.offsets)
    return committed, aborted


def require_views(cluster: Cluster, brokers: Brokers) -> int:
    """Readers of committed records see all of these, others those and the aborted ones; how many those were.

    Only topics that keep everything are looked at. No transaction may be open.
    """
    hidden = 0
    for place, (shown, there) in _both_views(cluster).items():
        committed, aborted = fates([batch for path in brokers.segments(place) for batch in batches(path)])
        assert shown.keys() == committed, place
        assert there.keys() == committed | aborted, place
        assert shown.items() <= there.items(), place
        hidden += len(aborted)
    return hidden


_View = dict[int, tuple[object, ...]]


def _both_views(cluster: Cluster) -> dict[Place, tuple[_View, _View]]:
    """By partition of each output that is not compacted: what is committed, and what is there at all."""
    topics = [each for each in cluster.topics.all() if each.direction != "in" and "compact" not in each.config.values()]
    ends = {(topic.name, number): end for topic in topics for number, end in cluster.ends(topic).items()}
    config = clients.reader_config({}, cluster.bootstrap_servers, cluster.group)
    with clients.make_consumer({**config, "isolation.level": "read_uncommitted"}) as reader:
        there = read_up_to(reader, ends)
    shown = cluster.read(*topics)
    return {place: (_view(shown[place]), _view(there[place])) for place in ends}


def _view(messages: list[Message]) -> _View:
    return {
        message.offset() or 0: (message.key(), message.value(), str(message.headers()), message.timestamp())
        for message in messages
    }
