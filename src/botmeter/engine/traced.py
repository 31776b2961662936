"""Records that came with a trace, noted while they are taken; where no traces are told, nobody looks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from botmeter.clock import Clock
from botmeter.metering.records import Record, traceparent_of
from botmeter.telemetry.trace_context import TraceContext, read_traceparent


@dataclass(frozen=True, slots=True)
class Traced:
    """A record whose trace asks for spans, and when it was about to be decided, UTC ms."""

    record: Record
    context: TraceContext
    taken_at: int


#: Finds them among records that are about to be decided.
FindTraced = Callable[[Sequence[Record]], Sequence[Traced]]


def find_none(records: Sequence[Record]) -> Sequence[Traced]:
    """Where no traces are told."""
    del records
    return ()


def finder(clock: Clock) -> FindTraced:
    """Finds those that are sampled."""

    def find(records: Sequence[Record]) -> Sequence[Traced]:
        carrying = [(record, header) for record in records if (header := traceparent_of(record)) is not None]
        if not carrying:
            return ()
        now_ms = clock.now_ms()
        read = [(record, read_traceparent(header)) for record, header in carrying]
        return [Traced(record, context, now_ms) for record, context in read if context and context.is_sampled]

    return find
