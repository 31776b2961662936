"""Does a tape lead to the journal it was made of? It is run, and the two are compared. Pure."""

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
    """The first event at which tape and journal part; None where one of them has ended."""

    version: int
    of_journal: Event | None
    of_tape: Event | None

    def __str__(self) -> str:
        return f"at version {self.version} the journal has {_named(self.of_journal)}, the tape {_named(self.of_tape)}"


def first_difference(
    lines: Iterable[bytes], events: Sequence[Event], topics: Topics, rules: Rules, partitions: int
) -> Difference | None:
    """Where the tape's journal first differs from `events`, None when nowhere.

    Not compared are causes, and why a command was refused, which a record that was made anew cannot have; and what an
    older release did not write.
    """
    outputs = Tape(topics, rules, partitions).run(lines)
    made = (catalogue.JOURNAL.decode(output.value or b"") for output in outputs if output.topic == topics.journal.name)
    for wanted, found in zip_longest(events, made):
        if wanted is None or found is None or _compared(wanted) != _compared(_as_old_as(wanted, found)):
            return Difference((wanted or found).version, wanted, found)
    return None


def _compared(event: Event) -> Event:
    """The event without what is not compared."""
    event = replace(event, cause=TimerCause(0))
    if isinstance(event, ev.CommandHandled):
        return replace(event, command="", issued_by="", reason=None, message=None)
    return event


def _as_old_as(wanted: Event, found: Event) -> Event:
    """The event without the fields that were added after the other was written: these have defaults."""
    if type(wanted) is not type(found):
        return found
    added = [field for field in fields(wanted) if field.default is not MISSING]
    missing: dict[str, Any] = {
        field.name: field.default for field in added if getattr(wanted, field.name) == field.default
    }
    return replace(found, **missing)


def _named(event: Event | None) -> str:
    return "nothing more" if event is None else str(event)
