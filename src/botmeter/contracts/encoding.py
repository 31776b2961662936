"""Encodes and decodes the journal, accounts and snapshots.

Accounts are encoded without conversions, because only botmeter reads them. All other outputs go through `catalogue.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

import msgspec

from botmeter.contracts.codec import DECODE_ERRORS, Codec, Special, to_json
from botmeter.domain import events as ev
from botmeter.domain.account import Account
from botmeter.domain.commands import CommandResult
from botmeter.domain.events import Cause, Event

# --- Journal ---------------------------------------------------------------------------------------------------------


class _WireCause(msgspec.Struct, gc=False):
    """A cause of any kind; the fields that are set determine the kind."""

    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    event_id: str | None = None
    command_id: str | None = None
    before_offset: int | None = None
    timer: Literal["cycle"] | None = None


def _cause_from_wire(wire: _WireCause) -> Cause:
    if wire.topic is not None and wire.partition is not None and wire.offset is not None:
        if wire.event_id is not None:
            return ev.InteractionCause(wire.topic, wire.partition, wire.offset, wire.event_id)
        if wire.command_id is not None and wire.before_offset is not None:
            return ev.CommandCause(wire.topic, wire.partition, wire.offset, wire.command_id, wire.before_offset)
    elif wire.timer is not None and wire.before_offset is not None:
        return ev.TimerCause(wire.before_offset)
    raise ValueError("not an event of the journal: its cause is no interaction, command or timer")


def _cause_to_wire(cause: Cause) -> Any:
    return {"timer": cause.timer, "before_offset": cause.before_offset} if isinstance(cause, ev.TimerCause) else cause


_EVENTS: Final[Codec[Event]] = Codec(
    get_args(Event),
    "an event of the journal",
    special={"cause": Special(_WireCause, _cause_from_wire, _cause_to_wire)},
    last=("cause",),
)
#: Encodes an event for the journal.
encode_event: Final = _EVENTS.encode
#: Decodes a record of the journal. Raises ValueError when it is no event.
decode_event: Final = _EVENTS.decode


# --- Accounts and snapshots ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Snapshot:
    journal_offset: int
    account: Account
    type: Literal["snapshot"]


#: An account with at least this many commands has them encoded only when they change, not at every change.
_MANY_COMMANDS: Final = 100
#: The encoded commands are cached for this many accounts: the mapping that was encoded, and its bytes.
_ENCODED_COMMANDS_MAX: Final = 64
_ENCODED_COMMANDS: Final[dict[str, tuple[Mapping[str, CommandResult], bytes]]] = {}
_decode_account: Final = msgspec.json.Decoder(Account).decode
_decode_snapshot: Final = msgspec.json.Decoder(_Snapshot).decode


def encode_account(account: Account) -> bytes:
    """Encodes the whole account, for the local store and the snapshots; moments stay UTC ms."""
    if len(account.handled) < _MANY_COMMANDS:
        return to_json(account)
    return to_json(replace(account, handled=msgspec.Raw(_encoded_commands(account))))  # type: ignore[arg-type]


def _encoded_commands(account: Account) -> bytes:
    """Encodes the commands, which may take megabytes. A change makes a new mapping, so each is encoded only once."""
    known = _ENCODED_COMMANDS.pop(account.account_id, None)
    if known is None or known[0] is not account.handled:
        known = account.handled, to_json(account.handled)
    _ENCODED_COMMANDS[account.account_id] = known
    while len(_ENCODED_COMMANDS) > _ENCODED_COMMANDS_MAX:
        with suppress(StopIteration, KeyError):  # another thread deleted it first
            del _ENCODED_COMMANDS[next(iter(_ENCODED_COMMANDS))]
    return known[1]


def decode_account(value: bytes) -> Account:
    """Decodes the bytes of `encode_account`. Raises ValueError when they are no account."""
    try:
        return _decode_account(value)
    except DECODE_ERRORS as error:
        raise ValueError(f"not an account: {error}") from error


def encode_snapshot(account: Account, account_json: bytes, journal_offset: int) -> bytes:
    """Encodes a snapshot: the bytes of `encode_account`, which include the account's journal up to `journal_offset`."""
    return to_json(
        {
            "type": "snapshot",
            "account_id": account.account_id,
            "version": account.version,
            "journal_offset": journal_offset,
            "account": msgspec.Raw(account_json),
        }
    )


def decode_snapshot(value: bytes) -> tuple[Account, int]:
    """Decodes a snapshot to the account and the journal offset. Raises ValueError when it is no snapshot."""
    try:
        snapshot = _decode_snapshot(value)
    except DECODE_ERRORS as error:
        raise ValueError(f"not a snapshot: {error}") from error
    return snapshot.account, snapshot.journal_offset
