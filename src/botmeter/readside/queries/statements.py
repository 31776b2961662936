"""Statements: a cycle in sessions and money."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from botmeter.readside.queries.from_rows import span_of
from botmeter.readside.queries.steps import steps_of
from botmeter.readside.queries.timeline import charges
from botmeter.readside.results import CycleSpan, Freshness, Money, Statement
from botmeter.readside.tables import Tables


def cycles(connection: Connection, tables: Tables, account: Any) -> Sequence[CycleSpan]:
    """The billing cycles of an account, newest first."""
    table = tables.cycles
    newest_first = select(table).where(table.c.account_no == account.account_no).order_by(table.c.number.desc())
    return [span_of(row) for row in connection.execute(newest_first)]


def statement(
    connection: Connection, tables: Tables, account: Any, cycle_number: int, freshness: Freshness
) -> Statement | None:
    """One cycle; None when the account has no such cycle."""
    table = tables.cycles
    row = connection.execute(
        select(table).where(table.c.account_no == account.account_no, table.c.number == cycle_number)
    ).one_or_none()
    if row is None:
        return None
    is_current = row.number == account.cycle_number
    # Sessions that came late were taken from what had expired already (A13).
    expired = row.expired - row.late_sessions
    into = row.opening + row.renewed + row.granted + row.purchased + row.credited
    remaining = into - row.sessions - row.forfeited - expired
    return Statement(
        account_id=account.account_id,
        cycle=span_of(row),
        is_current=is_current,
        opening=row.opening,
        renewed=row.renewed,
        granted=row.granted,
        purchased=row.purchased,
        credited=row.credited,
        sessions=row.sessions,
        late_sessions=row.late_sessions,
        previews=row.previews,
        forfeited=row.forfeited,
        expired=expired,
        remaining=remaining,
        closing=None if is_current else remaining,
        handoffs=row.handoffs,
        charge=None if row.currency is None else Money(row.amount_minor, row.currency),
        charges=tuple(charges(connection, tables, account, cycle_number)),
        steps=steps_of(connection, tables, account, cycle_number),
        freshness=freshness,
    )
