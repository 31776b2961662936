"""What a message is called: in the journal, on the wire, in results. Its class says it, and nothing else does."""

from __future__ import annotations

from functools import cache


def type_name(class_: type) -> str:
    """The `type` of a message of this class: `session_started` of `SessionStarted`."""
    return _snake_case(class_.__name__)


@cache
def _snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
