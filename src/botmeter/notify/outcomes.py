"""The outcome of one attempt, named by what has to follow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Accepted:
    """The receiver took the message and said so."""

    answer: str


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """The message certainly did not arrive: try again later, not before `after_ms` if the receiver named a pause."""

    reason: str
    after_ms: int = 0


@dataclass(frozen=True, slots=True)
class Unreachable(NotAccepted):
    """The message certainly did not arrive, and at the moment other messages would not arrive either."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The message certainly did not arrive and never will: it was refused for good, or the address is invalid."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The message was handed over and no answer came: it may have arrived.

    `is_deduplicated`: the receiver gets an id by which it recognises a repetition, so a retry does no harm.
    """

    reason: str
    is_deduplicated: bool = False


Outcome = Accepted | NotAccepted | Refused | Unanswered
