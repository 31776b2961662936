"""Records as read from the cluster, and a stream of them with lookahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from operator import methodcaller
from typing import Protocol

Header = tuple[str, bytes | None]
#: Records of one partition in the order of their offsets, in the chunks in which they are read.
Batches = Iterable[Sequence["Record"]]


class Record(Protocol):
    """A record with the interface of the Kafka client's messages."""

    def topic(self) -> str:
        """The topic it was read from."""

    def partition(self) -> int:
        """The partition it was read from."""

    def offset(self) -> int:
        """Its offset there."""

    def key(self) -> bytes | None:
        """Its key's bytes."""

    def value(self) -> bytes | None:
        """Its value's bytes."""

    def timestamp(self) -> tuple[int, int]:
        """The kind of its timestamp, and the time, UTC ms."""

    def headers(self) -> list[Header] | None:
        """Its headers, None or empty without any."""


#: Called this way, Python checks for a pending error: the client leaves one behind when a header's name is no UTF-8.
_read_headers = methodcaller("headers")


def headers_of(record: Record) -> list[Header] | None:
    """The record's headers; None where the client cannot read them."""
    try:
        return list(_read_headers(record) or [])
    except SystemError:
        return None


def place_of(record: Record) -> str:
    """The record's topic, partition and offset, such as `chat.interactions-3@17`."""
    return f"{record.topic()}-{record.partition()}@{record.offset()}"


class Stream:
    """Records one after another; records ahead can be peeked at before they are taken."""

    def __init__(self, batches: Batches) -> None:
        self._records = _flattened(batches)
        self._ahead: deque[Record] = deque()

    def peek(self, distance: int = 0) -> Record | None:
        """The record `distance` places ahead, None past the end."""
        while len(self._ahead) <= distance:
            record = next(self._records, None)
            if record is None:
                return None
            self._ahead.append(record)
        return self._ahead[distance]

    def take(self) -> Record:
        """Takes the next record, which `peek` must have returned before. Raises IndexError otherwise."""
        return self._ahead.popleft()


def _flattened(batches: Batches) -> Iterator[Record]:
    for batch in batches:
        yield from batch
