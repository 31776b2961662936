"""Bad input: one example of each kind that occurs in production, and the reason of its dead letter.

Each is a good interaction of an end-user with a bot with one fault, so that only this fault prevents its metering.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from botmeter.contracts.decoding import MAX_DEPTH, MAX_RECORD_BYTES
from botmeter.contracts.fields import ID_CHARACTERS_MAX
from botmeter.simulation.accounts import CLOSED, UNKNOWN_ACCOUNT_ID

Fields = dict[str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of bad record: the `reason` of its dead letter, how to make it, and its weight among all kinds."""

    reason: str
    value: Callable[[Fields], bytes | None]
    #: Returns the record's key; None: no key.
    key: Callable[[Fields], bytes | None] = lambda fields: fields["account_id"].encode()
    is_misplaced: bool = False
    weight: float = 1.0


def _json(fields: dict[str, object] | Fields) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


def _with(**changed: object) -> Callable[[Fields], bytes]:
    return lambda fields: _json({**fields, **changed})


def _without(name: str) -> Callable[[Fields], bytes]:
    return lambda fields: _json({key: value for key, value in fields.items() if key != name})


def _and(more: bytes) -> Callable[[Fields], bytes]:
    """Adds one more member to the object, as raw JSON."""
    return lambda fields: _json(fields)[:-1] + b"," + more + b"}"


_NESTED: Final = b'"nested":' + b"[" * (MAX_DEPTH + 36) + b"]" * (MAX_DEPTH + 36)

FAULTS: Final = {
    "not JSON": Fault("malformed", lambda fields: _json(fields)[:-9]),
    "no object": Fault("malformed", lambda fields: _json(fields).join((b"[", b"]"))),
    "null value": Fault("malformed", lambda _: None),
    "invalid UTF-8": Fault("malformed", lambda fields: _json(fields).replace(b'"b', b'"\xff\xfeb', 1)),
    "NaN": Fault("malformed", _and(b'"score":NaN')),
    "duplicate key": Fault("malformed", _and(b'"actor":"bot"')),
    "deep nesting": Fault("malformed", _and(_NESTED)),
    "missing field": Fault("invalid", _without("end_user_id")),
    "wrong type": Fault("invalid", _with(end_user_id=42)),
    "unknown enum": Fault("invalid", _with(widget="billboard")),
    "empty id": Fault("invalid", _with(conversation_id="")),
    "300-character id": Fault("invalid", _with(end_user_id="u" * (ID_CHARACTERS_MAX + 44))),
    "control character": Fault("invalid", _with(bot_id="bot\u0000one")),
    "no such date": Fault("invalid", _with(occurred_at="2026-02-31T10:00:00.000Z")),
    "far future": Fault("in_future", _with(occurred_at="2999-12-31T23:59:59.999Z")),
    "far past": Fault("too_late", _with(occurred_at="1970-01-01T00:00:00.000Z")),
    # Rare, because each has megabytes: otherwise they would be most of the bytes sent.
    "2 MB value": Fault("too_large", _with(note="x" * (2 * MAX_RECORD_BYTES)), weight=0.02),
    "no key": Fault("wrong_key", _json, key=lambda _: None),
    "other key": Fault("wrong_key", _json, key=lambda fields: fields["end_user_id"].encode()),
    "other partition": Fault("wrong_partition", _json, is_misplaced=True),
    "unknown account": Fault(
        "unknown_account", _with(account_id=UNKNOWN_ACCOUNT_ID), key=lambda _: UNKNOWN_ACCOUNT_ID.encode()
    ),
    "closed account": Fault(
        "account_closed", _with(account_id=CLOSED.account_id), key=lambda _: CLOSED.account_id.encode()
    ),
}
