"""W3C trace context: the header `traceparent`, by which what follows from one another belongs to one trace.

botmeter hands it on untouched, from an interaction or command to all that it leads to; whether spans are made of it or
not. `spans.py` makes them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

#: The name of the header, of HTTP and of Kafka's records alike.
TRACEPARENT: Final = "traceparent"
#: Version, trace, span, flags; no more than that in version 00, and neither id all zeros.
_SHAPE: Final = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?", re.ASCII
)
_FIRST_VERSION: Final = "00"
_SAMPLED: Final = 1


class TraceContext(NamedTuple):
    """What a `traceparent` says: the trace, the span that it goes on from, and the flags."""

    trace_id: int
    span_id: int
    flags: int

    @property
    def is_sampled(self) -> bool:
        """Whether whoever began the trace asks for spans of it."""
        return bool(self.flags & _SAMPLED)


def read_traceparent(text: bytes | str | None) -> TraceContext | None:
    """What it says; None for what is none, which is to be passed over, as the specification has it."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    found = None if text is None else _SHAPE.fullmatch(text)
    if found is None or (found[1] == _FIRST_VERSION and found[5] is not None):
        return None
    return TraceContext(int(found[2], 16), int(found[3], 16), int(found[4], 16))


def write_traceparent(context: TraceContext) -> str:
    """As a header's value, version 00."""
    return f"{_FIRST_VERSION}-{context.trace_id:032x}-{context.span_id:016x}-{context.flags & 0xFF:02x}"


class Sent(NamedTuple):
    """A record that is to be published."""

    topic: str
    key: str
    body_bytes: int
    message_id: str
    conversation_id: str | None


@dataclass(frozen=True, slots=True)
class Processed:
    """A record that came with a trace, and what a consumer made of it between two moments, UTC ms.

    `events` is what followed, by type; `error` why it could not be taken, None when it was.
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
