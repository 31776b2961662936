"""What worker and operator tell each other of a partition: a text beside the group's offset of its interactions.

The worker that gives a partition up leaves a `Stands`, the operator who mends it a `Rescued`. The next commit of a
worker replaces either by nothing. No note moves an offset by itself.
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


class Rescued(msgspec.Struct, frozen=True, tag="rescued", tag_field="botmeter"):
    """Somebody has mended a partition: it is to be restored, `cold` without its local store. `at` is RFC 3339."""

    by: str
    why: str
    at: str
    cold: bool


def encode_note(note: Stands | Rescued) -> str:
    """The note as the text that is kept."""
    if isinstance(note, Stands):
        note = Stands(_cut(note.reason), _cut(note.remedy), note.since, note.worker[:100])
    else:
        note = Rescued(note.by[:100], _cut(note.why), note.at, note.cold)
    return msgspec.json.encode(note).decode()


def decode_note(text: str | None) -> Stands | Rescued | None:
    """The note that a text holds; None for anything else."""
    try:
        return msgspec.json.decode(text or "", type=Stands | Rescued)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _cut(text: str) -> str:
    return text if len(text) <= _REASON_CHARACTERS_MAX else text[: _REASON_CHARACTERS_MAX - 1] + "…"
