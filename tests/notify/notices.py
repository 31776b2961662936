"""Notices and records that tests tell of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from botmeter.contracts.instants import rfc3339
from botmeter.domain.contacts import Contacts
from botmeter.domain.events import AccountOpened, TimerCause
from botmeter.domain.prices import DAY_MS
from botmeter.kafka.subscription import Place, Received
from botmeter.notify.notices import Notice
from botmeter.notify.outbox import AddressedNotice
from botmeter.notify.recipients import Recipient

ALERTS: Final = Place("botmeter.alerts", 0)
NOON_MS: Final = 1_763_208_000_000
MAYA: Final = Recipient("email", "maya@northwind.example", "Maya")


def alert(account_id: str = "northwind", version: int = 41, **changed: Any) -> dict[str, Any]:
    """An alert as the worker publishes it: 80 % on the 15th of a month."""
    return {
        "type": "threshold_reached",
        "alert_id": f"{account_id}/{version}",
        "account_id": account_id,
        "version": version,
        "at": "2026-11-15T14:02:11.000Z",
        "percent": 80,
        "used": 2400,
        "total": 3000,
        "remaining": 600,
        "pool": "purchased",
        "plan": "growth",
        "packs": 3,
        "time_zone": "America/New_York",
        "cycle_number": 3,
        "cycle_starts_at": "2026-11-01T04:00:00.000Z",
        "cycle_ends_at": "2026-12-01T05:00:00.000Z",
        "cycle_elapsed_percent": 48.0,
        "auto_recharge": None,
        "contacts": ["maya@northwind.example"],
        **changed,
    }


def exhausted(account_id: str = "northwind", version: int = 60, **changed: Any) -> dict[str, Any]:
    """All sessions are used."""
    used = {"type": "sessions_exhausted", "percent": 100, "used": 3000, "remaining": 0}
    return alert(account_id, version, **used, **changed)


def standing(kind: str, reason: str, **changed: Any) -> dict[str, Any]:
    """A suspension or a resumption."""
    message = {"type": kind, "account_id": "northwind", "version": 61, "at": "2026-11-15T14:02:11.000Z"}
    return {**message, "reason": reason, **changed}


def opened(account_id: str = "northwind", contacts: Contacts = (), version: int = 1) -> AccountOpened:
    """The journal's event of a new account."""
    return AccountOpened(
        account_id=account_id,
        version=version,
        at=NOON_MS,
        cause=TimerCause(before_offset=0),
        plan="growth",
        billing_cycle="monthly",
        anchor=NOON_MS,
        time_zone="Europe/Berlin",
        contacts=contacts,
        thresholds=(80,),
        starts_at=NOON_MS,
        ends_at=NOON_MS + 30 * DAY_MS,
    )


def record(message: Mapping[str, Any], offset: int = 0, place: Place = ALERTS) -> Received:
    """The message as a record of its topic."""
    family = "handoff" if message["type"].startswith("bot_") else "alert"
    identity = f"{family}/{message['account_id']}/{message['version']}"
    value = json.dumps(message).encode()
    return Received(place, offset, NOON_MS, message["account_id"].encode(), value, {"ce_id": identity.encode()})


def notice(version: int = 41, at_ms: int = NOON_MS, **changed: Any) -> Notice:
    """A notice of the alert above."""
    message = alert(version=version, at=rfc3339(at_ms), **changed)
    del message["contacts"]
    account_id = message["account_id"]
    return Notice(f"alert/{account_id}/{version}", message["type"], account_id, at_ms, json.dumps(message))


def told(version: int = 41, *recipients: Recipient, at_ms: int = NOON_MS) -> AddressedNotice:
    """A notice with its recipients, Maya by default."""
    return AddressedNotice(notice(version, at_ms), recipients or (MAYA,), "America/New_York")
