"""Records as they are read back, and a stream of them with a bounded look ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from operator import methodcaller
from typing import Protocol

Header = tuple[str, bytes | None]
#: Records of one partition in the order of their offsets, as they come.
Batches = Iterable[Sequence["Record"]]


class Record(Protocol):
    """A record with the face of the Kafka client's messages."""

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


#: Called like this, Python checks what it returns: where a name is no UTF-8, the client leaves an error behind.
_read_headers = methodcaller("headers")


def headers_of(record: Record) -> list[Header] | None:
    """The record's headers; None where the client cannot read them."""
    try:
        return list(_read_headers(record) or [])
    except SystemError:
        return None


def place_of(record: Record) -> str:
    """Where the record lies, such as `chat.interactions-3@17`."""
    return f"{record.topic()}-{record.partition()}@{record.offset()}"


class Stream:
    """Records one after another; a few can be looked at before they are taken."""

    def __init__(self, batches: Batches) -> None:
        self._records = _flattened(batches)
        self._ahead: deque[Record] = deque()

    def peek(self, distance: int = 0) -> Record | None:
        """The record that many places ahead, None past the end."""
        while len(self._ahead) <= distance:
            record = next(self._records, None)
            if record is None:
                return None
            self._ahead.append(record)
        return self._ahead[distance]

    def take(self) -> Record:
        """The next record. Raises IndexError at the end; `peek` comes first."""
        return self._ahead.popleft()


def _flattened(batches: Batches) -> Iterator[Record]:
    for batch in batches:
        yield from batch
