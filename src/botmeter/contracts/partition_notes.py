"""What a worker tells operators of a partition that stands: a text beside the group's offset of its interactions.

Whoever gives a partition up leaves a `Stands`; the next commit of the partition replaces it by nothing.
"""

from __future__ import annotations

from typing import Final

import msgspec

#: Kafka's `offset.metadata.max.bytes` is 4096; a note is shorter, whatever a reason says.
_REASON_CHARACTERS_MAX: Final = 700


class Stands(msgspec.Struct, frozen=True, tag="stands", tag_field="botmeter"):
    """A partition that failed; nobody meters it. `since` is RFC 3339."""

    reason: str
    remedy: str
    since: str
    worker: str


def encode_note(note: Stands) -> str:
    """The note as the text that is kept."""
    return msgspec.json.encode(Stands(_cut(note.reason), _cut(note.remedy), note.since, note.worker[:100])).decode()


def decode_note(text: str | None) -> Stands | None:
    """The note that a text holds; None for anything else."""
    try:
        return msgspec.json.decode(text or "", type=Stands)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _cut(text: str) -> str:
    return text if len(text) <= _REASON_CHARACTERS_MAX else text[: _REASON_CHARACTERS_MAX - 1] + "…"
