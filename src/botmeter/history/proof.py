"""Proves that a tape leads to the journal it was made from: runs it, and compares the two journals. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from itertools import zip_longest
from typing import Any

from botmeter.contracts import catalogue
from botmeter.contracts.topics import Topics
from botmeter.domain import events as ev
from botmeter.domain.events import Event, TimerCause
from botmeter.domain.prices import Rules
from botmeter.replay.tape import Tape


@dataclass(frozen=True, slots=True)
class Difference:
    """The first event that differs between tape and journal; None where one of them has ended."""

    version: int
    of_journal: Event | None
    of_tape: Event | None

    def __str__(self) -> str:
        return f"at version {self.version} the journal has {_named(self.of_journal)}, the tape {_named(self.of_tape)}"


def first_difference(
    lines: Iterable[bytes], events: Sequence[Event], topics: Topics, rules: Rules, partitions: int
) -> Difference | None:
    """The first difference between the tape's journal and `events`; None when they are equal.

    Not compared are causes, the reason why a command was refused, which a rebuilt record cannot have, and fields that
    an older release did not write.
    """
    outputs = Tape(topics, rules, partitions).run(lines)
    made = (catalogue.JOURNAL.decode(output.value or b"") for output in outputs if output.topic == topics.journal.name)
    for expected, found in zip_longest(events, made):
        if expected is None or found is None or _compared(expected) != _compared(_without_added(expected, found)):
            return Difference((expected or found).version, expected, found)
    return None


def _compared(event: Event) -> Event:
    """The event without the fields that are not compared."""
    event = replace(event, cause=TimerCause(0))
    if isinstance(event, ev.CommandHandled):
        return replace(event, command="", issued_by="", reason=None, message=None)
    return event


def _without_added(expected: Event, found: Event) -> Event:
    """`found` without fields that were added to the journal after `expected` was written: these have defaults."""
    if type(expected) is not type(found):
        return found
    added = [field for field in fields(expected) if field.default is not MISSING]
    missing: dict[str, Any] = {
        field.name: field.default for field in added if getattr(expected, field.name) == field.default
    }
    return replace(found, **missing)


def _named(event: Event | None) -> str:
    return "nothing more" if event is None else str(event)
