"""The parts that all results share, made from rows: account, cause, journal place, money, cycle."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Row, select

from botmeter.readside.results import Cause, CycleSpan, JournalPlace, Money
from botmeter.readside.tables import Tables

#: No id contains it; PostgreSQL accepts no text with it, not even to compare.
NUL: Final = "\x00"


def find_account(connection: Connection, tables: Tables, account_id: str) -> Row[Any] | None:
    """The account's row; None for an unknown account."""
    if NUL in account_id:
        return None
    accounts = tables.accounts
    return connection.execute(select(accounts).where(accounts.c.account_id == account_id)).one_or_none()


def place_of(row: Any, partition: int) -> JournalPlace:
    """Where in the journal the row's event is."""
    return JournalPlace(partition, row.journal_offset, row.version)


def cause_of(row: Any, partition: int) -> Cause:
    """The cause of the row's event; inputs and journal have the same partitions."""
    before_offset = getattr(row, "before_offset", None)
    command_id = getattr(row, "command_id", None)
    if row.cause_topic is None:
        return Cause("timer", None, None, None, None, before_offset)
    if command_id is not None:
        return Cause("command", row.cause_topic, partition, row.cause_offset, command_id, before_offset)
    return Cause("interaction", row.cause_topic, partition, row.cause_offset, row.cause_id, None)


def money_of(row: Any) -> Money | None:
    """The row's amount, if money was charged."""
    return None if row.amount_minor is None or row.currency is None else Money(row.amount_minor, row.currency)


def span_of(row: Any) -> CycleSpan:
    """The cycle of a row of cycles."""
    return CycleSpan(row.number, row.billing_cycle, row.starts_at, row.ends_at)
