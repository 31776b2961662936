"""The records of the inputs that a group has not committed: how many offsets, and since when the first one waits.

The cluster is asked for all of it; nothing is taken from the memory of a worker.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from botmeter.kafka import questions
from botmeter.kafka.clients import Config, make_consumer

Place = tuple[str, int]

#: How long to read for the first waiting records. A record that has not arrived by then is reported next time.
_READ_S: Final = 2.0
_POLL_S: Final = 0.1
#: Only one record of each partition is needed, so the client fetches as little as possible.
_ONE_RECORD: Final[Config] = {
    "isolation.level": "read_uncommitted",
    "queued.min.messages": 1,
    "max.partition.fetch.bytes": 4_096,
    "queued.max.messages.kbytes": 1_024,
    "client.id": "botmeter-backlog",
}


@dataclass(frozen=True, slots=True)
class Backlog:
    """The uncommitted records in one partition of an input.

    `offsets`: from the committed offset to the high watermark, records of open transactions included. `oldest_at`: the
    broker's time of the first of these records, UTC ms; None when none waits or it could not be read.
    """

    offsets: int
    oldest_at: int | None


class BacklogReader:
    """Reads the backlog of one group without being a member of it. Used by one thread."""

    def __init__(self, admin: AdminClient, reader_config: Config) -> None:
        self._admin = admin
        self._consumer: Consumer = make_consumer({**reader_config, **_ONE_RECORD})

    def close(self) -> None:
        """Closes the client."""
        self._consumer.close()

    def of(self, topics: Iterable[str], partitions: Iterable[int]) -> dict[Place, Backlog]:
        """Returns the backlog of each of these partitions of each topic. Raises ClusterError, Retriable."""
        names, numbers = list(topics), list(partitions)
        committed = questions.committed_offsets(self._consumer, [(name, n) for name in names for n in numbers])
        starts: dict[Place, int] = {}
        ends: dict[Place, int] = {}
        for name in names:
            begins = questions.begin_offsets(self._admin, name, numbers)
            ends |= {(name, n): end for n, end in questions.end_offsets(self._admin, name, numbers).items()}
            starts |= {(name, n): max(committed[name, n] or 0, begin) for n, begin in begins.items()}
        waiting = {place: start for place, start in starts.items() if start < ends[place]}
        times = self._first_times(waiting)
        return {place: Backlog(max(0, end - starts[place]), times.get(place)) for place, end in ends.items()}

    def _first_times(self, starts: Mapping[Place, int]) -> dict[Place, int]:
        """Returns the broker's time of the first record at or after each offset; without those not read in time."""
        if not starts:
            return {}
        found: dict[Place, int] = {}
        left, until_s = set(starts), time.monotonic() + _READ_S
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in starts.items()])
        while left and time.monotonic() < until_s:
            for message in self._consumer.consume(100, timeout=_POLL_S):
                place = (message.topic() or "", message.partition() or 0)
                if message.error() is None and place in left:
                    found[place] = message.timestamp()[1]
                left.discard(place)
        self._consumer.unassign()
        return found
