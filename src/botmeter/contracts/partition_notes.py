"""A worker's note to operators about a failed partition: a text that is committed with the group's offset.

A worker whose partition fails writes a `FailureNote`; the next commit of the partition removes it.
"""

from __future__ import annotations

from typing import Final

import msgspec

#: Kafka's `offset.metadata.max.bytes` is 4096; texts are cut, so that a note is always shorter.
_REASON_CHARACTERS_MAX: Final = 700


class FailureNote(msgspec.Struct, frozen=True, tag="stands", tag_field="botmeter"):
    """A failed partition, which no worker meters. `since` is RFC 3339.

    `has_begun` is false where nothing was ever committed: then the offset beside the note only carries it, and says
    where the interactions begin.
    """

    reason: str
    remedy: str
    since: str
    worker: str
    has_begun: bool = True


def skip_command(partition: int, topic: str, offset: int) -> str:
    """Returns the command that skips a record."""
    return f"botmeter partition skip {partition} {topic}@{offset}"


def encode_note(note: FailureNote) -> str:
    """Encodes the note as text."""
    short = FailureNote(_cut(note.reason), _cut(note.remedy), note.since, note.worker[:100], note.has_begun)
    return msgspec.json.encode(short).decode()


def decode_note(text: str | None) -> FailureNote | None:
    """Decodes a note; returns None for any other text."""
    try:
        return msgspec.json.decode(text or "", type=FailureNote)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def has_begun(text: str | None) -> bool:
    """Whether the offset of the interactions beside this text is one that was committed."""
    note = decode_note(text)
    return note is None or note.has_begun


def tells(text: str | None, reason: str, remedy: str) -> bool:
    """Whether the text is a note of this failure."""
    note = decode_note(text)
    return note is not None and (note.reason, note.remedy) == (_cut(reason), _cut(remedy))


def _cut(text: str) -> str:
    return text if len(text) <= _REASON_CHARACTERS_MAX else text[: _REASON_CHARACTERS_MAX - 1] + "…"
