"""CloudEvents 1.0 headers (Kafka binding, binary mode) and the headers of dead letters.

Ids (templates in `catalogue.py`) are made from the content of a record, never at random, so that writing it again gives
the same id. The first part names the kind, so ids are unique over all topics. The last part never contains a slash, so
an account_id may.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from botmeter.contracts.instants import rfc3339

#: Headers in the client library's form; a value may be None in a record that another program wrote.
Headers = list[tuple[str, bytes]]
OriginalHeaders = list[tuple[str, bytes | None]]

SOURCE: Final = "/botmeter"
JSON: Final = "application/json"
#: The content type of a dead letter whose value is no JSON, or is cut.
BYTES: Final = "application/octet-stream"
#: The first header that a dead letter has after the original ones.
REASON_HEADER: Final = "botmeter_reason"
TRUNCATED_HEADER: Final = "botmeter_truncated"

_SPECVERSION: Final = ("ce_specversion", b"1.0")
_SOURCE: Final = ("ce_source", SOURCE.encode())
_JSON: Final = ("content-type", JSON.encode())
_BYTES: Final = ("content-type", BYTES.encode())
_NOT_READ_AS_JSON: Final = frozenset({"malformed", "too_large"})
#: A longer text is no account_id, which has at most 256 characters.
SUBJECT_MAX_BYTES: Final = 4 * 256
#: The template of a dead letter's `ce_id`: the place of the record that could not be processed.
DEAD_LETTER_ID: Final = "dead-letter/{topic}/{partition}/{offset}"
_ERRORS: Final = "__streams.errors."


class Place(NamedTuple):
    """The place of a record."""

    topic: str
    partition: int
    offset: int


def headers(type_: str, id_: str, subject: str, at: int, traceparent: bytes | None) -> Headers:
    """Returns the headers of an output record.

    `type_` is the message's type, `subject` the account_id, `at` the message's time in UTC ms. `traceparent` is the
    header of the record that caused it, if it had one.
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
    """Returns the headers of a dead letter: the original ones, unchanged, then botmeter's.

    `reason` and `message` are those of the PoisonRecord. Topic, partition, offset and `at` (broker timestamp, UTC ms)
    are of the record that could not be processed. `subject` is its account_id, else its key; it is left out where it
    cannot be an account_id. A name that the original has too occurs twice; by Kafka's convention the last one counts.
    The original's `content-type` is kept alone, since it describes the same bytes. Without one, the type is JSON if the
    value could be read as such, else plain bytes.
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
    """The content of a dead letter's headers: the place of the record, the reason, and its original headers."""

    place: Place
    reason: str
    message: str
    #: The record's account_id, else its key, where that can be an account_id.
    subject: str | None
    is_truncated: bool
    original: OriginalHeaders


def read_dead_letter(headers: OriginalHeaders | None) -> DeadLetter:
    """Parses the headers of `dead_letter_headers`. Raises ValueError for other headers."""
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
    """Returns the headers that the record had before it became a dead letter, for sending it back."""
    places = [place for place, (name, _) in enumerate(dead_letter) if name == REASON_HEADER]
    return dead_letter[: places[-1]] if places else list(dead_letter)


def _is_readable(subject: bytes) -> bool:
    try:
        return len(subject) <= SUBJECT_MAX_BYTES and subject.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return False


def cut_for_dead_letter(value: bytes | None, limit_bytes: int) -> tuple[bytes | None, bool]:
    """Cuts the value to the limit of the dead letters' topic; returns it and whether it was cut."""
    if value is None or len(value) <= limit_bytes:
        return value, False
    return value[:limit_bytes], True
