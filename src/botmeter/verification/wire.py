"""What the record of an expected output looks like, and what makes a record differ from it.

Equal bytes are equal. Where they differ, the decoded messages are compared, so a field that is written in another order
or that this version does not know makes no difference.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from botmeter.contracts import cloudevents, encoding
from botmeter.contracts.encoding import decode_event, encode_event
from botmeter.domain.account import Account
from botmeter.domain.announcements import Alert, Announcement
from botmeter.domain.commands import CommandResult
from botmeter.domain.events import Event
from botmeter.verification.records import Header, Record, headers_of

#: What tells one message of a topic from all others of it.
Identity = tuple[Any, ...]
_DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError)


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


class Answered(NamedTuple):
    """The answer to a command, and whose."""

    account_id: str
    result: CommandResult


class Standing(NamedTuple):
    """An account as it stood after the event at `at` (UTC ms)."""

    account: Account
    at: int


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


_head_of: Final = msgspec.json.Decoder(_Head).decode
_versioned: Final = msgspec.json.Decoder(_Versioned).decode
_answer: Final = msgspec.json.Decoder(_Answer).decode


class JournalShape:
    """Events: no headers, the record's time is the event's."""

    def identify(self, record: Record) -> Identified:
        """By account and version."""
        try:
            head = _head_of(record.value() or b"")
        except _DECODE_ERRORS as error:
            raise ValueError(str(error)) from error
        return Identified((head.account_id, head.version), head.type, head.account_id, record, head.cause)

    def faults(self, message: Event, record: Record) -> list[str]:
        """Of key, time and value."""
        found = _key_faults(message.account_id, record)
        if record.timestamp()[1] != message.at:
            found.append(f"the record's time is {record.timestamp()[1]}, not {message.at}")
        if record.value() != (wanted := encode_event(message)) and _decoded(record) != message:
            found += _value_faults(wanted, record.value())
        return found

    def encode(self, message: Event) -> bytes:
        """As the journal holds it."""
        return encode_event(message)


class AnnouncementShape:
    """Alerts and handoffs: an event leads to at most one of a topic."""

    def identify(self, record: Record) -> Identified:
        """By account and version."""
        return _identify_versioned(record)

    def faults(self, message: Announcement, record: Record) -> list[str]:
        """Of key, headers and value."""
        make_id = cloudevents.alert_id if isinstance(message, Alert) else cloudevents.handoff_id
        id_ = make_id(message.account_id, message.version)
        headers = cloudevents.headers(message.type, id_, message.account_id, message.at, None)
        return _faults(message.account_id, headers, self.encode(message), record)

    def encode(self, message: Announcement) -> bytes:
        """As the topic holds it."""
        return encoding.encode_announcement(message)


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
            found = _answer(record.value() or b"")
        except _DECODE_ERRORS as error:
            raise ValueError(str(error)) from error
        return Identified((topic, int(partition), int(offset)), found.type, found.account_id, record)

    def faults(self, message: Answered, record: Record) -> list[str]:
        """Of key, headers and value; the id was compared before."""
        account_id, result = message
        type_ = "accepted" if result.reason is None else "rejected"
        id_ = (dict(headers_of(record) or []).get("ce_id") or b"").decode()
        headers = cloudevents.headers(type_, id_, account_id, result.at, None)
        return _faults(account_id, headers, self.encode(message), record)

    def encode(self, message: Answered) -> bytes:
        """As the topic holds it."""
        return encoding.encode_result(message.account_id, message.result)


class BalanceShape:
    """Balances: one of an account at a version."""

    def identify(self, record: Record) -> Identified:
        """By account and version."""
        return _identify_versioned(record)

    def faults(self, message: Standing, record: Record) -> list[str]:
        """Of key, headers and value."""
        account = message.account
        id_ = cloudevents.balance_id(account.account_id, account.version)
        headers = cloudevents.headers("balance", id_, account.account_id, message.at, None)
        return _faults(account.account_id, headers, self.encode(message), record)

    def encode(self, message: Standing) -> bytes:
        """As the topic holds it."""
        return encoding.encode_balance(message.account, message.at)


def _identify_versioned(record: Record) -> Identified:
    try:
        found = _versioned(record.value() or b"")
    except _DECODE_ERRORS as error:
        raise ValueError(str(error)) from error
    return Identified((found.account_id, found.version), found.type, found.account_id, record)


def _decoded(record: Record) -> Event | None:
    try:
        return decode_event(record.value() or b"")
    except ValueError:
        return None


def _faults(account_id: str, headers: list[tuple[str, bytes]], value: bytes, record: Record) -> list[str]:
    found = _key_faults(account_id, record) + _header_faults(headers, headers_of(record))
    if record.value() != value:
        found += _value_faults(value, record.value())
    return found


def _key_faults(account_id: str, record: Record) -> list[str]:
    return [] if record.key() == account_id.encode() else [f"the key is {record.key()!r}, not {account_id}"]


def _header_faults(wanted: list[tuple[str, bytes]], found: list[Header] | None) -> list[str]:
    had = dict(found or [])
    return [
        f"the header {name} is {had.get(name)!r}, not {value!r}" for name, value in wanted if had.get(name) != value
    ]


def _value_faults(wanted: bytes, found: bytes | None) -> list[str]:
    """The fields that differ; none where both say the same, and where only fields unknown here were added."""
    expected: dict[str, Any] = json.loads(wanted)
    try:
        had: Any = json.loads(found or b"null")
    except ValueError:
        had = None
    if not isinstance(had, dict):
        return ["the value is no JSON object"]
    return [
        f"{name} is {json.dumps(had.get(name))}, not {json.dumps(value)}"
        for name, value in expected.items()
        if had.get(name) != value or name not in had
    ]
