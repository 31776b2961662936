"""W3C trace context: the header `traceparent`, which ties causes and effects into one trace.

botmeter copies it unchanged from an interaction or command to all its outputs, whether tracing is on or not. `spans.py`
makes the spans.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

#: The name of the header, in HTTP and in Kafka records.
TRACEPARENT: Final = "traceparent"
#: Version, trace, span, flags. Version 00 has nothing more, and neither id may be all zeros.
_SHAPE: Final = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?", re.ASCII
)
_FIRST_VERSION: Final = "00"
_SAMPLED: Final = 1


class TraceContext(NamedTuple):
    """The content of a `traceparent`: the trace, the parent span and the flags."""

    trace_id: int
    span_id: int
    flags: int

    @property
    def is_sampled(self) -> bool:
        """Whether the origin of the trace requests spans for it."""
        return bool(self.flags & _SAMPLED)


def read_traceparent(text: bytes | str | None) -> TraceContext | None:
    """Parses a header; returns None for an invalid one, which the specification says to ignore."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    found = None if text is None else _SHAPE.fullmatch(text)
    if found is None or (found[1] == _FIRST_VERSION and found[5] is not None):
        return None
    return TraceContext(int(found[2], 16), int(found[3], 16), int(found[4], 16))


def write_traceparent(context: TraceContext) -> str:
    """Returns the header's value, version 00."""
    return f"{_FIRST_VERSION}-{context.trace_id:032x}-{context.span_id:016x}-{context.flags & 0xFF:02x}"


class Sent(NamedTuple):
    """A record to be published."""

    topic: str
    key: str
    body_bytes: int
    message_id: str
    conversation_id: str | None


@dataclass(frozen=True, slots=True)
class Processed:
    """A record with a trace, and how a consumer processed it between two timestamps, UTC ms.

    `events` are the types of the events that it caused; `error` is why it was rejected, or None.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    context: TraceContext
    group: str
    began_at: int
    ended_at: int
    events: Sequence[str] = ()
    message_id: str | None = None
    error: str | None = None
