"""CloudEvents 1.0 headers (Kafka binding, binary mode) and the headers of dead letters.

Ids (in `catalogue.py`) are made from what a record is about, never at random, so that writing it again gives the same
id. The first part names the kind, so they are unique over all topics; the last never holds a slash, so accounts may.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from botmeter.contracts.instants import rfc3339

#: As the client library takes and gives them; a value may be missing in a record that others wrote.
Headers = list[tuple[str, bytes]]
OriginalHeaders = list[tuple[str, bytes | None]]

SOURCE: Final = "/botmeter"
JSON: Final = "application/json"
#: Of a dead letter whose value is no JSON, or is cut.
BYTES: Final = "application/octet-stream"
#: The first header a dead letter has on top of the original ones.
REASON_HEADER: Final = "botmeter_reason"
TRUNCATED_HEADER: Final = "botmeter_truncated"

_SPECVERSION: Final = ("ce_specversion", b"1.0")
_SOURCE: Final = ("ce_source", SOURCE.encode())
_JSON: Final = ("content-type", JSON.encode())
_BYTES: Final = ("content-type", BYTES.encode())
_NOT_READ_AS_JSON: Final = frozenset({"malformed", "too_large"})
#: Longer texts are no account_id, which has at most 256 characters.
SUBJECT_MAX_BYTES: Final = 4 * 256
#: What the `ce_id` of a dead letter is made of: the place of the record that could not be taken.
DEAD_LETTER_ID: Final = "dead-letter/{topic}/{partition}/{offset}"
_ERRORS: Final = "__streams.errors."


class Place(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


def headers(type_: str, id_: str, subject: str, at: int, traceparent: bytes | None) -> Headers:
    """The headers of an output record.

    `type_` is the message's, `subject` the account_id, `at` its time in UTC ms; `traceparent` that of the record it
    came from, if that had one.
    """
    found = [
        _SPECVERSION,
        ("ce_id", id_.encode()),
        _SOURCE,
        _type(type_),
        ("ce_subject", subject.encode()),
        ("ce_time", rfc3339(at).encode()),
        _JSON,
    ]
    if traceparent is not None:
        found.append(("traceparent", traceparent))
    return found


@lru_cache(maxsize=256)  # a handful of types
def _type(type_: str) -> tuple[str, bytes]:
    return "ce_type", f"botmeter.{type_}.v1".encode()


def dead_letter_headers(
    original: OriginalHeaders | None,
    *,
    subject: bytes | None,
    reason: str,
    message: str,
    topic: str,
    partition: int,
    offset: int,
    at: int,
    is_truncated: bool,
) -> OriginalHeaders:
    """The headers of a dead letter: the original ones, untouched, then ours.

    `reason` and `message` are those of the PoisonRecord; topic, partition, offset and `at` (broker timestamp, UTC ms)
    are of the record that could not be taken. `subject` is its account_id, else its key, and left out where it can be
    no account_id. A name that the original has too stands twice; by Kafka's custom the last one counts. Only the
    original's `content-type` is left to speak for itself, since it describes the same bytes; without one they are JSON
    if they could be read as such, else plain bytes.
    """
    kept = list(original or ())
    ours: Headers = [
        (REASON_HEADER, reason.encode()),
        (f"{_ERRORS}message", message.encode("utf-8", "replace")),
        (f"{_ERRORS}topic", topic.encode()),
        (f"{_ERRORS}partition", str(partition).encode()),
        (f"{_ERRORS}offset", str(offset).encode()),
        _SPECVERSION,
        ("ce_id", DEAD_LETTER_ID.format(topic=topic, partition=partition, offset=offset).encode()),
        _SOURCE,
        _type("dead_letter"),
        ("ce_time", rfc3339(at).encode()),
    ]
    if subject and _is_readable(subject):
        ours.append(("ce_subject", subject))
    if all(name.lower() != "content-type" for name, _ in kept):
        ours.append(_BYTES if reason in _NOT_READ_AS_JSON else _JSON)
    if is_truncated:
        ours.append((TRUNCATED_HEADER, b"true"))
    return [*kept, *ours]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What the headers of a dead letter say: which record it is about, why it is one, and what that record carried."""

    place: Place
    reason: str
    message: str
    #: The record's account_id, else its key, where that can be one.
    subject: str | None
    is_truncated: bool
    original: OriginalHeaders


def read_dead_letter(headers: OriginalHeaders | None) -> DeadLetter:
    """What `dead_letter_headers` wrote. Raises ValueError for headers of something else."""
    texts = {name: value.decode("utf-8", "replace") for name, value in headers or () if value is not None}
    try:
        place = Place(texts[f"{_ERRORS}topic"], int(texts[f"{_ERRORS}partition"]), int(texts[f"{_ERRORS}offset"]))
        reason, message = texts[REASON_HEADER], texts[f"{_ERRORS}message"]
    except (KeyError, ValueError) as error:
        raise ValueError(f"not the headers of a dead letter: {error}") from error
    kept = original_headers(headers or [])
    ours = dict((headers or [])[len(kept) :])
    subject = ours.get("ce_subject")
    return DeadLetter(
        place,
        reason,
        message,
        None if subject is None else subject.decode("utf-8", "replace"),
        TRUNCATED_HEADER in ours,
        kept,
    )


def original_headers(dead_letter: OriginalHeaders) -> OriginalHeaders:
    """The headers that the record had before it became a dead letter, for sending it back."""
    places = [place for place, (name, _) in enumerate(dead_letter) if name == REASON_HEADER]
    return dead_letter[: places[-1]] if places else list(dead_letter)


def _is_readable(subject: bytes) -> bool:
    try:
        return len(subject) <= SUBJECT_MAX_BYTES and subject.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return False


def cut_for_dead_letter(value: bytes | None, limit_bytes: int) -> tuple[bytes | None, bool]:
    """The value, cut to what the dead letters' topic takes, and whether it was cut."""
    if value is None or len(value) <= limit_bytes:
        return value, False
    return value[:limit_bytes], True
