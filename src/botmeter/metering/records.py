"""Kafka records as the engine reads and writes them."""

from __future__ import annotations

from collections.abc import Sequence
from operator import methodcaller
from typing import Final, NamedTuple, Protocol

from botmeter.contracts.cloudevents import TRUNCATED_HEADER
from botmeter.errors import PartitionRefused

Header = tuple[str, bytes | None]

#: Kafka's code for a timestamp that the broker set.
LOG_APPEND_TIME: Final = 2
_UNREADABLE: Final[Header] = (TRUNCATED_HEADER, b"true")
#: A traceparent has 55 bytes; later versions may have more. Without a limit, outputs could become too large.
_TRACEPARENT_MAX_BYTES: Final = 256


class Record(Protocol):
    """A record as the Kafka client returns it; a line of a tape has the same interface."""

    def topic(self) -> str:
        """Returns the topic of the record."""

    def partition(self) -> int:
        """Returns the partition of the record."""

    def offset(self) -> int:
        """Returns the offset of the record."""

    def key(self) -> bytes | None:
        """Returns the bytes of the key."""

    def value(self) -> bytes | None:
        """Returns the bytes of the value."""

    def timestamp(self) -> tuple[int, int]:
        """Returns the type and the value of the timestamp, UTC ms."""

    def headers(self) -> list[Header] | None:
        """Returns the headers; None or an empty list when there are none."""

    def set_headers(self, value: list[Header]) -> None:
        """Replaces the headers."""


class Output(NamedTuple):
    """A record to be written in the transaction; `timestamp` (UTC ms) is None unless it is the time of an event."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    timestamp: int | None = None


#: Calls `headers()` with Python's check of the result. When a header's name is not UTF-8, the client sets an error and
#: returns a list with NULL entries. Optimized calls skip the check, and reading such an entry would crash the process.
_read_headers: Final = methodcaller("headers")


def headers_of(record: Record) -> list[Header]:
    """Returns the record's headers; only the header that marks a truncated record when the client cannot read them."""
    try:
        return _read_headers(record) or []
    except SystemError:
        record.set_headers([_UNREADABLE])  # the client reports the error only once
        return [_UNREADABLE]


def traceparent_of(record: Record) -> bytes | None:
    """Returns the record's W3C trace context, which outputs repeat; None without one, or when it is too long."""
    for name, value in headers_of(record):
        if name == "traceparent":
            return value if value is not None and len(value) <= _TRACEPARENT_MAX_BYTES else None
    return None


def wrong_timestamp_type(record: Record) -> PartitionRefused:
    """Returns the error for a record without a broker timestamp, on which limits and cycles depend (`S7`, `C3`)."""
    return PartitionRefused(
        f"{record.topic()}, partition {record.partition()}, offset {record.offset()}: the record carries its "
        "producer's time",
        "set message.timestamp.type=LogAppendTime for the topic (botmeter topics create --fix)",
    )
