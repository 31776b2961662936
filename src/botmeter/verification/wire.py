"""Which message a record is, and what makes it differ from the one that is expected.

Equal bytes are equal. Where they differ, the decoded messages are compared, so a field that is written in another order
or that this version does not know makes no difference.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from botmeter.contracts import catalogue
from botmeter.contracts.catalogue import Channel
from botmeter.contracts.cloudevents import Place
from botmeter.contracts.codec import DECODE_ERRORS
from botmeter.domain.events import Event
from botmeter.verification.records import Header, Record, headers_of

#: What tells one message of a topic from all others of it.
Identity = tuple[Any, ...]


class Identified(NamedTuple):
    """A record that was found, read as far as it takes to know which message it is."""

    identity: Identity
    type: str
    account_id: str
    record: Record
    #: Of an event of the journal.
    cause: Cause | None = None


class Cause(msgspec.Struct, gc=False):
    """The cause of an event; its fields tell which kind."""

    topic: str | None = None
    offset: int | None = None
    before_offset: int | None = None
    timer: str | None = None


class Shape(Protocol):
    """What is known of the messages of one topic."""

    def identify(self, record: Record) -> Identified:
        """Which message it is. Raises ValueError for a record that is none of the topic."""

    def faults(self, message: Any, record: Record) -> list[str]:
        """In what the record differs from the message; empty when in nothing."""

    def encode(self, message: Any) -> bytes | None:
        """The value that the message's record must have."""


class _Head(msgspec.Struct, gc=False):
    type: str
    account_id: str
    version: int
    cause: Cause


class _Versioned(msgspec.Struct, gc=False):
    type: str
    account_id: str
    version: int


class _Answer(msgspec.Struct, gc=False):
    type: str
    account_id: str


_decode_head: Final = msgspec.json.Decoder(_Head).decode
_decode_versioned: Final = msgspec.json.Decoder(_Versioned).decode
_decode_answer: Final = msgspec.json.Decoder(_Answer).decode


class JournalShape:
    """Events: the record's time is the event's."""

    def identify(self, record: Record) -> Identified:
        """By account and version."""
        try:
            head = _decode_head(record.value() or b"")
        except DECODE_ERRORS as error:
            raise ValueError(str(error)) from error
        return Identified((head.account_id, head.version), head.type, head.account_id, record, head.cause)

    def faults(self, message: Event, record: Record) -> list[str]:
        """Of key, time and value."""
        found = _key_faults(message.account_id, record)
        if record.timestamp()[1] != message.at:
            found.append(f"the record's time is {record.timestamp()[1]}, not {message.at}")
        return found + _value_faults(catalogue.JOURNAL, message, record)

    def encode(self, message: Event) -> bytes:
        """As the journal holds it."""
        return catalogue.JOURNAL.encode(message)


class VersionedShape:
    """Alerts, handoffs and balances: at most one of an account at a version."""

    def __init__(self, channel: Channel[Any, Any]) -> None:
        self._channel = channel

    def identify(self, record: Record) -> Identified:
        """By account and version."""
        try:
            found = _decode_versioned(record.value() or b"")
        except DECODE_ERRORS as error:
            raise ValueError(str(error)) from error
        return Identified((found.account_id, found.version), found.type, found.account_id, record)

    def faults(self, message: Any, record: Record) -> list[str]:
        """Of key, headers and value."""
        headers = self._channel.headers(message, None)
        return _faults(self._channel, message, headers, record)

    def encode(self, message: Any) -> bytes:
        """As the topic holds it."""
        value: bytes = self._channel.encode(message)
        return value


class AnswerShape:
    """Command results: one for each record of a command."""

    def identify(self, record: Record) -> Identified:
        """By the record of the command, which the `ce_id` names."""
        id_ = dict(headers_of(record) or []).get("ce_id") or b""
        kind, _, place = id_.decode("utf-8", "replace").partition("/")
        topic, partition, offset = place.rsplit("/", 2) if place.count("/") >= 2 else ("", "", "")
        if kind != "result" or not partition.isdigit() or not offset.isdigit():
            raise ValueError(f"the header ce_id is {id_!r}, which names no command")
        try:
            found = _decode_answer(record.value() or b"")
        except DECODE_ERRORS as error:
            raise ValueError(str(error)) from error
        return Identified(Place(topic, int(partition), int(offset)), found.type, found.account_id, record)

    def faults(self, message: Any, record: Record) -> list[str]:
        """Of key, headers and value."""
        came_from = Place(*self.identify(record).identity)
        headers = catalogue.COMMAND_RESULTS.headers(message, None, came_from)
        return _faults(catalogue.COMMAND_RESULTS, message, headers, record)

    def encode(self, message: Any) -> bytes:
        """As the topic holds it."""
        return catalogue.COMMAND_RESULTS.encode(message)


def _faults(channel: Channel[Any, Any], message: Any, headers: list[tuple[str, bytes]], record: Record) -> list[str]:
    key = _key_faults(message.account_id, record)
    return key + _header_faults(headers, headers_of(record)) + _value_faults(channel, message, record)


def _key_faults(account_id: str, record: Record) -> list[str]:
    return [] if record.key() == account_id.encode() else [f"the key is {record.key()!r}, not {account_id}"]


def _header_faults(wanted: list[tuple[str, bytes]], found: list[Header] | None) -> list[str]:
    had = dict(found or [])
    return [
        f"the header {name} is {had.get(name)!r}, not {value!r}" for name, value in wanted if had.get(name) != value
    ]


def _value_faults(channel: Channel[Any, Any], message: Any, record: Record) -> list[str]:
    wanted, found = channel.encode(message), record.value()
    if wanted == found:
        return []
    try:
        if channel.decode(found) == message:
            return []
    except ValueError as error:
        return [str(error)]
    return _differing_fields(json.loads(wanted), json.loads(found or b"null")) or ["it decodes to another message"]


def _differing_fields(wanted: dict[str, Any], found: Any) -> list[str]:
    had = found if isinstance(found, dict) else {}
    return [
        f"{name} is {json.dumps(had.get(name))}, not {json.dumps(value)}"
        for name, value in wanted.items()
        if name not in had or had[name] != value
    ]
