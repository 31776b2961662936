"""From the domain to the bytes of a record, and the journal, accounts and snapshots back again.

What a class looks like on the wire is prepared once per class from its fields: a snake_case `type` first, the cause of
an event last, and each moment (UTC ms inside) as RFC 3339. Accounts, which only botmeter reads, are kept as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any, Final, Literal, Union, get_args, get_type_hints

import msgspec

from botmeter.contracts.instants import is_moment, millis, rfc3339
from botmeter.domain import announcements as an
from botmeter.domain import events as ev
from botmeter.domain.account import Account
from botmeter.domain.announcements import Announcement
from botmeter.domain.commands import CommandResult
from botmeter.domain.events import Cause, Event

_encode: Final = msgspec.json.Encoder().encode
_DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError)
_Fields = dict[str, Any]


def _as_fields(class_: type, last: Iterable[str] = ()) -> Callable[[Any], _Fields]:
    """A function that gives the fields of an instance as the wire has them, those named in `last` at the end."""
    names = (*(field.name for field in fields(class_) if field.name not in last), *last)
    values = attrgetter(*names)
    moments = tuple(name for name in names if is_moment(name))

    def as_fields(instance: Any) -> _Fields:
        found = dict(zip(names, values(instance), strict=True))
        for name in moments:
            found[name] = rfc3339(found[name])
        return found

    return as_fields


# --- Journal ---------------------------------------------------------------------------------------------------------


def _snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


_EVENT_TYPES: Final[dict[type[Event], str]] = {class_: _snake_case(class_.__name__) for class_ in get_args(Event)}
_EVENT_FIELDS: Final = {class_: _as_fields(class_, last=("cause",)) for class_ in _EVENT_TYPES}


def event_type(event: Event) -> str:
    """The event's `type` on the wire, such as `session_started`."""
    return _EVENT_TYPES[type(event)]


def encode_event(event: Event) -> bytes:
    """The event as the journal holds it."""
    class_, cause = type(event), event.cause
    found = {"type": _EVENT_TYPES[class_], **_EVENT_FIELDS[class_](event)}
    if type(cause) is ev.TimerCause:
        found["cause"] = {"timer": cause.timer, "before_offset": cause.before_offset}
    return _encode(found)


def decode_event(value: bytes) -> Event:
    """The event in a record of the journal; fields it does not know are ignored.

    Raises ValueError for an unknown type, a missing field or one that does not fit.
    """
    try:
        wire = _decode_wire_event(value)
    except _DECODE_ERRORS as error:
        raise ValueError(f"not an event of the journal: {error}") from error
    return _FROM_WIRE[type(wire)](wire)


class _WireCause(msgspec.Struct, gc=False):
    """A cause of any kind; its fields tell which."""

    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    event_id: str | None = None
    command_id: str | None = None
    before_offset: int | None = None
    timer: Literal["cycle"] | None = None


def _cause(wire: _WireCause) -> Cause:
    if wire.topic is not None and wire.partition is not None and wire.offset is not None:
        if wire.event_id is not None:
            return ev.InteractionCause(wire.topic, wire.partition, wire.offset, wire.event_id)
        if wire.command_id is not None and wire.before_offset is not None:
            return ev.CommandCause(wire.topic, wire.partition, wire.offset, wire.command_id, wire.before_offset)
    elif wire.timer is not None and wire.before_offset is not None:
        return ev.TimerCause(wire.before_offset)
    raise ValueError("not an event of the journal: its cause is no interaction, command or timer")


def _wire_event(class_: type[Event]) -> type[msgspec.Struct]:
    """The event as a struct that `type` selects, with moments and cause as they are on the wire."""
    hints = get_type_hints(class_)
    moment = Annotated[datetime, msgspec.Meta(tz=True)]
    wire_fields = [
        (name, _WireCause if name == "cause" else moment if is_moment(name) else hint) for name, hint in hints.items()
    ]
    return msgspec.defstruct(class_.__name__, wire_fields, tag=_EVENT_TYPES[class_], tag_field="type", gc=False)


def _from_wire(class_: type[Event]) -> Callable[[Any], Event]:
    """A function that gives the event of its wire struct."""
    names = tuple(field.name for field in fields(class_))
    values = attrgetter(*names)
    moments = tuple(place for place, name in enumerate(names) if is_moment(name))
    cause = names.index("cause")

    def from_wire(wire: Any) -> Event:
        found = list(values(wire))
        for place in moments:
            found[place] = millis(found[place])
        found[cause] = _cause(found[cause])
        return class_(*found)

    return from_wire


_WIRE_EVENTS: Final = {_wire_event(class_): class_ for class_ in _EVENT_TYPES}
_FROM_WIRE: Final = {wire: _from_wire(class_) for wire, class_ in _WIRE_EVENTS.items()}
_decode_wire_event: Final = msgspec.json.Decoder(Union[tuple(_WIRE_EVENTS)]).decode  # noqa: UP007 - made at run time


# --- Outputs ---------------------------------------------------------------------------------------------------------

_ANNOUNCEMENT_FIELDS: Final = {class_: _as_fields(class_) for class_ in (an.Alert, *get_args(an.Handoff))}


def encode_announcement(announcement: Announcement) -> bytes:
    """An alert or a handoff."""
    return _encode(_ANNOUNCEMENT_FIELDS[type(announcement)](announcement))


def encode_result(account_id: str, result: CommandResult) -> bytes:
    """The answer to a command (`C2`)."""
    if result.reason is None:
        return _encode(
            {
                "type": "accepted",
                "command_id": result.command_id,
                "account_id": account_id,
                "version": result.version,
                "at": rfc3339(result.at),
            }
        )
    return _encode(
        {
            "type": "rejected",
            "command_id": result.command_id,
            "account_id": account_id,
            "at": rfc3339(result.at),
            "reason": result.reason,
            "message": result.message,
        }
    )


def encode_balance(account: Account, at: int) -> bytes:
    """The account's balance; `at` is the time (UTC ms) of the event that made it so."""
    allowance, cycle = account.allowance, account.cycle
    used, total = allowance.used, allowance.total
    return _encode(
        {
            "type": "balance",
            "account_id": account.account_id,
            "version": account.version,
            "at": rfc3339(at),
            "status": account.status,
            "plan": account.terms.plan,
            "pool": allowance.pool,
            "total": total,
            "used": used,
            "remaining": allowance.remaining,
            "used_percent": used * 1000 // total / 10 if total else 0.0,
            "packs": allowance.packs,
            "packs_next_cycle": allowance.packs_next_cycle,
            "cycle": {
                "number": cycle.number,
                "billing_cycle": account.terms.billing_cycle,
                "starts_at": rfc3339(cycle.starts_at),
                "ends_at": rfc3339(cycle.ends_at),
            },
        }
    )


# --- Accounts and snapshots ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Snapshot:
    journal_offset: int
    account: Account
    type: Literal["snapshot"]


_decode_account: Final = msgspec.json.Decoder(Account).decode
_decode_snapshot: Final = msgspec.json.Decoder(_Snapshot).decode


def encode_account(account: Account) -> bytes:
    """The whole account, for the local store and the snapshots; moments stay UTC ms."""
    return _encode(account)


def decode_account(value: bytes) -> Account:
    """The account of `encode_account`. Raises ValueError when it is none."""
    try:
        return _decode_account(value)
    except _DECODE_ERRORS as error:
        raise ValueError(f"not an account: {error}") from error


def encode_snapshot(account: Account, account_json: bytes, journal_offset: int) -> bytes:
    """A snapshot: the account as `encode_account` gave it, after all of its journal before `journal_offset`."""
    return _encode(
        {
            "type": "snapshot",
            "account_id": account.account_id,
            "version": account.version,
            "journal_offset": journal_offset,
            "account": msgspec.Raw(account_json),
        }
    )


def decode_snapshot(value: bytes) -> tuple[Account, int]:
    """The account and the journal offset of a snapshot. Raises ValueError when it is none."""
    try:
        snapshot = _decode_snapshot(value)
    except _DECODE_ERRORS as error:
        raise ValueError(f"not a snapshot: {error}") from error
    return snapshot.account, snapshot.journal_offset
