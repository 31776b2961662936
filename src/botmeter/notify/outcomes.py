"""What became of one attempt, named by what it asks for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Accepted:
    """The other side took it and said so."""

    answer: str


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """It certainly did not arrive: try again later, not before `after_ms` when the other side named a time."""

    reason: str
    after_ms: int = 0


@dataclass(frozen=True, slots=True)
class Unreachable(NotAccepted):
    """The same, and the others would fare no better at the moment."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It certainly did not arrive and never will: the other side, or the address itself, leaves no doubt."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """It was handed over and no answer came: it may have arrived.

    `is_deduplicated`: the receiver is given an id by which it knows a repetition, so repeating does no harm.
    """

    reason: str
    is_deduplicated: bool = False


Outcome = Accepted | NotAccepted | Refused | Unanswered
