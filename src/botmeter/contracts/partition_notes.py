"""A worker's note to operators about a failed partition: a text that is committed with the group's offset.

A worker whose partition fails writes a `Stands`; the next commit of the partition removes it.
"""

from __future__ import annotations

from typing import Final

import msgspec

#: Kafka's `offset.metadata.max.bytes` is 4096; texts are cut, so that a note is always shorter.
_REASON_CHARACTERS_MAX: Final = 700


class Stands(msgspec.Struct, frozen=True, tag="stands", tag_field="botmeter"):
    """A failed partition, which no worker meters. `since` is RFC 3339."""

    reason: str
    remedy: str
    since: str
    worker: str


def encode_note(note: Stands) -> str:
    """Encodes the note as text."""
    return msgspec.json.encode(Stands(_cut(note.reason), _cut(note.remedy), note.since, note.worker[:100])).decode()


def decode_note(text: str | None) -> Stands | None:
    """Decodes a note; returns None for any other text."""
    try:
        return msgspec.json.decode(text or "", type=Stands)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _cut(text: str) -> str:
    return text if len(text) <= _REASON_CHARACTERS_MAX else text[: _REASON_CHARACTERS_MAX - 1] + "…"
