"""Identifies the message in a record, and compares it with the expected one.

Equal bytes are equal. Otherwise the decoded messages are compared, so another order of fields, or a field that this
version does not know, makes no difference.
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

#: Identifies a message among all messages of its topic.
Identity = tuple[Any, ...]


class Identified(NamedTuple):
    """A record of an output, decoded only as far as it takes to identify its message."""

    identity: Identity
    type: str
    account_id: str
    record: Record
    #: Only for events of the journal.
    cause: Cause | None = None


class Cause(msgspec.Struct, gc=False):
    """The cause of an event; its kind follows from which fields are set."""

    topic: str | None = None
    offset: int | None = None
    before_offset: int | None = None
    timer: str | None = None


class Shape(Protocol):
    """How the messages of one topic are identified and compared."""

    def identify(self, record: Record) -> Identified:
        """Identifies the record's message. Raises ValueError for a record that is no message of the topic."""

    def faults(self, message: Any, record: Record) -> list[str]:
        """The differences between the record and the message; empty without any."""

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
        """Identifies it by account and version."""
        try:
            head = _decode_head(record.value() or b"")
        except DECODE_ERRORS as error:
            raise ValueError(str(error)) from error
        return Identified((head.account_id, head.version), head.type, head.account_id, record, head.cause)

    def faults(self, message: Event, record: Record) -> list[str]:
        """The differences in key, time and value."""
        faults = _key_faults(message.account_id, record)
        if record.timestamp()[1] != message.at:
            faults.append(f"the record's time is {record.timestamp()[1]}, not {message.at}")
        return faults + _value_faults(catalogue.JOURNAL, message, record)

    def encode(self, message: Event) -> bytes:
        """The value of the event's record."""
        return catalogue.JOURNAL.encode(message)


class VersionedShape:
    """Alerts, handoffs and balances: at most one of an account at a version."""

    def __init__(self, channel: Channel[Any, Any]) -> None:
        self._channel = channel

    def identify(self, record: Record) -> Identified:
        """Identifies it by account and version."""
        try:
            head = _decode_versioned(record.value() or b"")
        except DECODE_ERRORS as error:
            raise ValueError(str(error)) from error
        return Identified((head.account_id, head.version), head.type, head.account_id, record)

    def faults(self, message: Any, record: Record) -> list[str]:
        """The differences in key, headers and value."""
        headers = self._channel.headers(message, None)
        return _faults(self._channel, message, headers, record)

    def encode(self, message: Any) -> bytes:
        """The value of the message's record."""
        value: bytes = self._channel.encode(message)
        return value


class AnswerShape:
    """Command results: one for each record of a command."""

    def identify(self, record: Record) -> Identified:
        """Identifies it by the record of the command, which the `ce_id` names."""
        id_ = dict(headers_of(record) or []).get("ce_id") or b""
        kind, _, place = id_.decode("utf-8", "replace").partition("/")
        topic, partition, offset = place.rsplit("/", 2) if place.count("/") >= 2 else ("", "", "")
        if kind != "result" or not partition.isdigit() or not offset.isdigit():
            raise ValueError(f"the header ce_id is {id_!r}, which names no command")
        try:
            head = _decode_answer(record.value() or b"")
        except DECODE_ERRORS as error:
            raise ValueError(str(error)) from error
        return Identified(Place(topic, int(partition), int(offset)), head.type, head.account_id, record)

    def faults(self, message: Any, record: Record) -> list[str]:
        """The differences in key, headers and value."""
        came_from = Place(*self.identify(record).identity)
        headers = catalogue.COMMAND_RESULTS.headers(message, None, came_from)
        return _faults(catalogue.COMMAND_RESULTS, message, headers, record)

    def encode(self, message: Any) -> bytes:
        """The value of the message's record."""
        return catalogue.COMMAND_RESULTS.encode(message)


def _faults(channel: Channel[Any, Any], message: Any, headers: list[tuple[str, bytes]], record: Record) -> list[str]:
    key = _key_faults(message.account_id, record)
    return key + _header_faults(headers, headers_of(record)) + _value_faults(channel, message, record)


def _key_faults(account_id: str, record: Record) -> list[str]:
    return [] if record.key() == account_id.encode() else [f"the key is {record.key()!r}, not {account_id}"]


def _header_faults(expected: list[tuple[str, bytes]], headers: list[Header] | None) -> list[str]:
    found = dict(headers or [])
    return [
        f"the header {name} is {found.get(name)!r}, not {value!r}"
        for name, value in expected
        if found.get(name) != value
    ]


def _value_faults(channel: Channel[Any, Any], message: Any, record: Record) -> list[str]:
    expected, found = channel.encode(message), record.value()
    if expected == found:
        return []
    try:
        if channel.decode(found) == message:
            return []
    except ValueError as error:
        return [str(error)]
    return _differing_fields(json.loads(expected), json.loads(found or b"null")) or ["it decodes to another message"]


def _differing_fields(expected: dict[str, Any], found: Any) -> list[str]:
    fields = found if isinstance(found, dict) else {}
    return [
        f"{name} is {json.dumps(fields.get(name))}, not {json.dumps(value)}"
        for name, value in expected.items()
        if name not in fields or fields[name] != value
    ]
