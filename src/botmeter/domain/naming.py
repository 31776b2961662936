"""The `type` of a message, in the journal, in Kafka records and in results. It is derived from the class alone."""

from __future__ import annotations

from functools import cache


def type_name(class_: type) -> str:
    """Returns the `type` of messages of this class: `session_started` for `SessionStarted`."""
    return _snake_case(class_.__name__)


@cache
def _snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
