"""Contacts and time zone of each account, as the journal last named them: for notices that carry no contacts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine, select, update

from botmeter.contracts.catalogue import JOURNAL
from botmeter.contracts.codec import to_json, type_in
from botmeter.domain.contacts import Contact, Contacts
from botmeter.domain.events import AccountOpened, ContactsSet
from botmeter.notify.database import insert_new, reading
from botmeter.notify.tables import accounts

_TYPES: Final = ("account_opened", "contacts_set")
_CONTACTS: Final = msgspec.json.Decoder(tuple[Contact, ...])

Change = AccountOpened | ContactsSet


@dataclass(frozen=True, slots=True)
class Entry:
    """Contacts and time zone of an account."""

    contacts: Contacts
    time_zone: str


def change_in(value: bytes | None) -> Change | None:
    """The event of the journal, if it changes contacts; most events do not and are not decoded. Raises ValueError."""
    if type_in(value) not in _TYPES:
        return None
    event = JOURNAL.decode(value or b"")
    return event if isinstance(event, AccountOpened | ContactsSet) else None


class Directory:
    """The entries of all accounts, up to the journal offset that was read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def update(self, changes: Sequence[Change]) -> None:
        """Store the changes, which are in the order of the journal; an entry of a later version stays."""
        if changes:
            with self._engine.begin() as connection:
                for change in changes:
                    _store(connection, change)

    def entries(self, account_ids: Sequence[str]) -> dict[str, Entry]:
        """The entries of these accounts; unknown accounts are left out."""
        if not account_ids:
            return {}
        statement = select(accounts).where(accounts.c.account_id.in_(account_ids))
        with reading(self._engine) as connection:
            rows = connection.execute(statement).all()
        return {row.account_id: Entry(_CONTACTS.decode(row.contacts), row.time_zone) for row in rows}


def _store(connection: Connection, change: Change) -> None:
    contacts = to_json(change.contacts).decode()
    row: dict[str, Any] = {"account_id": change.account_id, "version": change.version, "contacts": contacts}
    if isinstance(change, AccountOpened):
        insert_new(connection, accounts, [{**row, "time_zone": change.time_zone}])
    else:
        is_newer = (accounts.c.account_id == change.account_id) & (accounts.c.version < change.version)
        connection.execute(update(accounts).where(is_newer).values(row))
