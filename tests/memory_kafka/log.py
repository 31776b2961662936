"""One partition: its records, those of transactions among them, and how far which reader may read."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, Final

from confluent_kafka import KafkaError

Header = tuple[str, bytes | None]
#: A topic's name and a partition.
Place = tuple[str, int]

CREATE_TIME: Final = 1
LOG_APPEND_TIME: Final = 2


class Refused(Exception):  # noqa: N818 - named by what happened
    """The broker's answer is an error; its code."""

    def __init__(self, code: int) -> None:
        super().__init__(KafkaError(code).name())
        self.code = code


class Outcome(Enum):
    """How a transaction stands in a partition."""

    OPEN = "open"
    COMMITTED = "committed"
    ABORTED = "aborted"


class Share:
    """What one transaction has in one partition."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.outcome = Outcome.OPEN


class MemoryMessage:
    """A record, or an event of its partition, as confluent_kafka gives it."""

    __slots__ = ("_error", "_headers", "_key", "_offset", "_partition", "_timestamp", "_topic", "_value")

    def __init__(
        self,
        place: Place,
        offset: int,
        key: bytes | None = None,
        value: bytes | None = None,
        headers: list[Header] | None = None,
        timestamp: tuple[int, int] = (0, 0),
        error: KafkaError | None = None,
    ) -> None:
        self._topic, self._partition = place
        self._offset, self._key, self._value, self._headers = offset, key, value, headers
        self._timestamp, self._error = timestamp, error

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> list[Header] | None:
        return self._headers

    def set_headers(self, value: list[Header]) -> None:
        self._headers = value

    def timestamp(self) -> tuple[int, int]:
        return self._timestamp

    def error(self) -> KafkaError | None:
        return self._error


#: A record and its transaction; a marker, which is no record, has None in its place.
_Entry = tuple[MemoryMessage | None, Share | None, int]


class Changes:
    """How often any partition has changed: whoever saw nothing new need not look again before it has."""

    def __init__(self) -> None:
        self.count = 0


class Log:
    """One partition of one topic."""

    def __init__(self, place: Place, has_brokers_time: bool, changes: Changes) -> None:  # noqa: FBT001 - its setting
        self.place = place
        self._changes = changes
        #: The topic's setting at present.
        self.has_brokers_time = has_brokers_time
        self._entries: list[_Entry] = []
        self._open: dict[int, Share] = {}
        self._epochs: dict[int, int] = {}
        self.begin = 0

    @property
    def high_watermark(self) -> int:
        return len(self._entries)

    @property
    def stable_offset(self) -> int:
        """The first record of an open transaction, else the high watermark."""
        if not self._open:
            return len(self._entries)
        return min(share.first for share in self._open.values())

    def limit(self, is_committed_only: bool) -> int:  # noqa: FBT001 - a reader's isolation
        """Up to where a reader reads."""
        return self.stable_offset if is_committed_only else len(self._entries)

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: list[Header] | None,
        at_ms: int,
        now_ms: int,
        producer: tuple[int, int] | None = None,
    ) -> int:
        """Writes a record; `producer` is the id and epoch of a transactional one. Its offset."""
        offset = len(self._entries)
        share: Share | None = None
        if producer is not None:
            id_, epoch = producer
            if epoch < self._epochs.get(id_, 0):
                raise Refused(KafkaError.INVALID_PRODUCER_EPOCH)
            share = self._open.get(id_)
            if share is None:
                share = self._open[id_] = Share(offset)
        timestamp = (LOG_APPEND_TIME, now_ms) if self.has_brokers_time else (CREATE_TIME, at_ms)
        message = MemoryMessage(self.place, offset, key, value, headers, timestamp)
        self._entries.append((message, share, timestamp[1]))
        self._changes.count += 1
        return offset

    def end(self, producer: tuple[int, int], is_commit: bool, now_ms: int) -> None:  # noqa: FBT001 - as in the protocol
        """Writes the marker that ends a transaction; it takes an offset."""
        id_, epoch = producer
        self._epochs[id_] = max(epoch, self._epochs.get(id_, 0))
        share = self._open.pop(id_, None)
        if share is not None:
            share.outcome = Outcome.COMMITTED if is_commit else Outcome.ABORTED
        self._entries.append((None, None, now_ms))
        self._changes.count += 1

    def read(self, start: int, limit: int, records_max: int) -> tuple[list[MemoryMessage], int]:
        """Records from `start` that do not count as aborted, and the offset to go on from."""
        found: list[MemoryMessage] = []
        offset = start
        while offset < limit and len(found) < records_max:
            message, share, _ = self._entries[offset]
            if message is not None and (share is None or share.outcome is not Outcome.ABORTED):
                found.append(message)
            offset += 1
        return found, offset

    def read_all(self, start: int, limit: int, records_max: int) -> tuple[list[MemoryMessage], int]:
        """As `read`, with what was aborted."""
        found: list[MemoryMessage] = []
        offset = start
        while offset < limit and len(found) < records_max:
            message = self._entries[offset][0]
            if message is not None:
                found.append(message)
            offset += 1
        return found, offset

    def offset_at(self, timestamp_ms: int) -> int:
        """The first record at or after a moment, -1 when there is none."""
        for offset, (message, _, at_ms) in enumerate(self._entries):
            if message is not None and at_ms >= timestamp_ms:
                return offset
        return -1

    def timestamp_of(self, offset: int) -> tuple[int, int]:
        """The kind of a record's timestamp, and the time, UTC ms."""
        message = self._entries[offset][0]
        assert message is not None, "a marker is no record"
        return message.timestamp()

    def latest_timestamp(self) -> int:
        """The highest of all records, -1 when there is none."""
        return max((at_ms for message, _, at_ms in self._entries if message is not None), default=-1)

    def committed(self) -> Sequence[Any]:
        """All records whose transaction is committed, and those without one."""
        return self.read(0, self.stable_offset, len(self._entries))[0]
