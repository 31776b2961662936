"""Notices: read from the topics, leniently, as a consumer should, and stored in the outbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal, get_args

import msgspec

from botmeter.contracts.catalogue import ALERTS, HANDOFFS
from botmeter.contracts.codec import DECODE_ERRORS, to_json, type_in
from botmeter.contracts.instants import millis
from botmeter.domain.contacts import AlertKind
from botmeter.kafka.subscription import Received
from botmeter.telemetry.trace_context import TRACEPARENT, read_traceparent

Kind = AlertKind | Literal["bot_suspended", "bot_resumed"]
ALERT_KINDS: Final[tuple[str, ...]] = get_args(AlertKind)
_NOTICE_TYPES: Final = ("threshold_reached", "sessions_exhausted", "bot_suspended", "bot_resumed")

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class NotReadableError(ValueError):
    """The record is no message of the contract. Recovery: store it as unreadable and continue."""


class AutoRecharge(msgspec.Struct, frozen=True):
    """How many packs are bought automatically, and below how many sessions (`A11`)."""

    below: int
    packs: int


class Facts(msgspec.Struct, frozen=True):
    """The fields of a notice of any kind; a field that its kind lacks, or an older worker omits, is None."""

    type: Literal["threshold_reached", "sessions_exhausted", "projected", "bot_suspended", "bot_resumed"]
    account_id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    at: _Moment
    version: _Count = 0
    alert_id: str | None = None
    time_zone: str = "UTC"
    percent: _Count | None = None
    used: _Count | None = None
    total: _Count | None = None
    remaining: _Count | None = None
    pool: str | None = None
    cycle_number: _Count | None = None
    cycle_starts_at: _Moment | None = None
    cycle_ends_at: _Moment | None = None
    cycle_elapsed_percent: float | None = None
    auto_recharge: AutoRecharge | None = None
    runs_out_at: _Moment | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to notify of. `body` is the message without its contacts, as JSON; a published one is unchanged else.

    `traceparent` is the W3C trace context of the interaction or command that it follows from, if that had one.
    """

    notice_id: str
    kind: Kind
    account_id: str
    at_ms: int
    body: str
    traceparent: str | None = None


_FACTS: Final = msgspec.json.Decoder(Facts)
_as_object: Final = msgspec.json.Decoder(dict[str, Any]).decode
_NEEDED: Final = ("percent", "used", "total", "remaining", "cycle_ends_at")


def facts_of(body: bytes | str) -> Facts:
    """Decodes the message. Raises NotReadableError."""
    try:
        facts = _FACTS.decode(body)
    except DECODE_ERRORS as error:
        raise NotReadableError(str(error)) from error
    if facts.type in ALERT_KINDS and (missing := [name for name in _NEEDED if getattr(facts, name) is None]):
        raise NotReadableError(f"an alert without {', '.join(missing)}")
    return facts


def notice_of(record: Received) -> Notice | None:
    """The notice in a record of the alerts or the handoffs; None for a message of another type, such as a single chat.

    Raises NotReadableError.
    """
    value = record.value or b""
    try:
        if type_in(value) not in _NOTICE_TYPES:
            return None
    except ValueError as error:
        raise NotReadableError(str(error)) from error
    facts, body = facts_of(value), _body_of(value)
    body.pop("contacts", None)
    notice_id, text = _notice_id(record, facts), to_json(body).decode()
    return Notice(notice_id, facts.type, facts.account_id, millis(facts.at), text, _traceparent(record))


def _body_of(value: bytes) -> dict[str, Any]:
    """All fields of the message, unknown ones too. Raises NotReadableError where it is no JSON."""
    try:
        return _as_object(value)
    except DECODE_ERRORS as error:
        raise NotReadableError(str(error)) from error


def _notice_id(record: Received, facts: Facts) -> str:
    """The idempotency key `ce_id`; rebuilt if a tool that copied the record dropped the headers."""
    if key := record.headers.get("ce_id"):
        return key.decode("utf-8", "replace")
    channel = ALERTS if facts.type in ALERT_KINDS else HANDOFFS
    return (channel.id or "").format(account_id=facts.account_id, version=facts.version)


def _traceparent(record: Received) -> str | None:
    """The record's trace context; None if it has none, or an invalid one."""
    header = record.headers.get(TRACEPARENT)
    return None if header is None or read_traceparent(header) is None else header.decode("ascii")
