"""Finds the records with a sampled trace before they are decided; with tracing off, nothing is searched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from botmeter.clock import Clock
from botmeter.metering.records import Record, traceparent_of
from botmeter.telemetry.trace_context import TraceContext, read_traceparent


@dataclass(frozen=True, slots=True)
class Traced:
    """A record with a sampled trace, and when it was about to be decided, UTC ms."""

    record: Record
    context: TraceContext
    taken_at: int


#: Returns the traced ones among records that are about to be decided.
FindTraced = Callable[[Sequence[Record]], Sequence[Traced]]


def find_none(records: Sequence[Record]) -> Sequence[Traced]:
    """Returns no records; used when tracing is off."""
    del records
    return ()


def finder(clock: Clock) -> FindTraced:
    """Returns a function that finds the records with a sampled trace."""

    def find(records: Sequence[Record]) -> Sequence[Traced]:
        with_header = [(record, header) for record in records if (header := traceparent_of(record)) is not None]
        if not with_header:
            return ()
        now_ms = clock.now_ms()
        with_context = [(record, read_traceparent(header)) for record, header in with_header]
        return [Traced(record, context, now_ms) for record, context in with_context if context and context.is_sampled]

    return find
