"""Kafka records as the engine sees them: what it reads, what it writes."""

from __future__ import annotations

from collections.abc import Sequence
from operator import methodcaller
from typing import Final, NamedTuple, Protocol

from botmeter.contracts.cloudevents import TRUNCATED_HEADER
from botmeter.errors import PartitionRefused

Header = tuple[str, bytes | None]

#: Kafka's name for a timestamp the broker set.
LOG_APPEND_TIME: Final = 2
_UNREADABLE: Final[Header] = (TRUNCATED_HEADER, b"true")
#: It has 55; later versions may have more. One without a limit would make outputs too large for their topics.
_TRACEPARENT_MAX_BYTES: Final = 256


class Record(Protocol):
    """A record as the Kafka client gives it; a tape's line looks the same."""

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
        """The kind of its timestamp, and the broker's time, UTC ms."""

    def headers(self) -> list[Header] | None:
        """Its headers, None or empty without any."""

    def set_headers(self, value: list[Header]) -> None:
        """Gives it others."""


class Output(NamedTuple):
    """A record to be written in the transaction; `timestamp` (UTC ms) only where the record's time is the event's."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    timestamp: int | None = None


#: Called like this, Python checks what it returns. Where a name is no UTF-8, the client leaves an error behind beside a
#: list with holes in it; without the check, which hot code goes without, the next step would be into a hole.
_read_headers: Final = methodcaller("headers")


def headers_of(record: Record) -> list[Header]:
    """The record's headers; none but the mark of something cut where the client cannot read them."""
    try:
        return _read_headers(record) or []
    except SystemError:
        record.set_headers([_UNREADABLE])  # it would not say so again
        return [_UNREADABLE]


def traceparent_of(record: Record) -> bytes | None:
    """The W3C trace context the record came with, to be passed on; None when what is there cannot be one."""
    for name, value in headers_of(record):
        if name == "traceparent":
            return value if value is not None and len(value) <= _TRACEPARENT_MAX_BYTES else None
    return None


def producers_time(record: Record) -> PartitionRefused:
    """Of a record that the broker has not stamped: limits and cycles rest on its time (`S7`, `C3`)."""
    return PartitionRefused(
        f"{record.topic()}, partition {record.partition()}, offset {record.offset()}: the record carries its "
        "producer's time",
        "set message.timestamp.type=LogAppendTime for the topic (botmeter topics create --fix)",
    )
