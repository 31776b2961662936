"""Charged sessions: search, pages, stream, and explanation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, false, or_, select

from botmeter.domain.prices import DAY_MS
from botmeter.readside.queries.accounts import pack_of
from botmeter.readside.queries.cursors import decode_cursor, encode_cursor
from botmeter.readside.queries.from_rows import NUL, cause_of, place_of, span_of
from botmeter.readside.queries.timeline import entries_of
from botmeter.readside.results import Explanation, SessionFilter, SessionPage, SessionRow
from botmeter.readside.tables import Tables

#: How far outside its cycle a session may start, because it came late or from a clock ahead: days, not weeks.
_MARGIN_MS: Final = 30 * DAY_MS
#: Events of one interaction, adjacent in the journal: a session, a recharge and its consequences, 99 thresholds.
_EVENTS_MAX: Final = 120
_SESSION_ID: Final = re.compile("[0-9a-f]{32}")
#: Rows fetched at a time by `stream`.
_STREAMED_ROWS: Final = 1_000


def page(
    connection: Connection, tables: Tables, account: Any, wanted: SessionFilter, limit: int, cursor: str | None
) -> SessionPage:
    """One page of an account's sessions, newest first."""
    sessions = tables.sessions
    statement = matching(connection, tables, account.account_no, wanted)
    if cursor is not None:
        started_at, offset = decode_cursor("sessions", cursor, int, int)
        statement = statement.where(
            or_(
                sessions.c.started_at < started_at,
                and_(sessions.c.started_at == started_at, sessions.c.journal_offset < offset),
            )
        )
    newest_first = (sessions.c.started_at.desc(), sessions.c.journal_offset.desc())
    rows = connection.execute(statement.order_by(*newest_first).limit(limit + 1)).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return SessionPage(
        tuple(session_of(row, account) for row in rows[:limit]),
        None if last is None else encode_cursor("sessions", last.started_at, last.journal_offset),
    )


def stream(connection: Connection, tables: Tables, account: Any, wanted: SessionFilter) -> Iterator[SessionRow]:
    """Every session of an account, oldest first."""
    sessions = tables.sessions
    statement = matching(connection, tables, account.account_no, wanted)
    streaming = connection.execution_options(yield_per=_STREAMED_ROWS)
    rows = streaming.execute(statement.order_by(sessions.c.started_at, sessions.c.journal_offset))
    yield from (session_of(row, account) for row in rows)


def matching(connection: Connection, tables: Tables, account_no: int, wanted: SessionFilter) -> Select[Any]:
    """A SELECT of the account's sessions that match a filter, unordered."""
    sessions = tables.sessions
    equal: dict[ColumnElement[Any], Any] = {
        sessions.c.end_user_id: wanted.end_user_id,
        sessions.c.bot_id: wanted.bot_id,
        sessions.c.widget: wanted.widget,
        sessions.c.preview: wanted.preview,
        sessions.c.cycle_number: wanted.cycle_number,
    }
    statement = select(sessions).where(sessions.c.account_no == account_no)
    if any(NUL in value for value in equal.values() if isinstance(value, str)):
        return statement.where(false())
    statement = statement.where(*(column == value for column, value in equal.items() if value is not None))
    if wanted.since is not None:
        statement = statement.where(sessions.c.started_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(sessions.c.started_at < wanted.until)
    if wanted.cycle_number is not None:
        cycles = tables.cycles
        is_it = (cycles.c.account_no == account_no, cycles.c.number == wanted.cycle_number)
        cycle = connection.execute(select(cycles).where(*is_it)).one_or_none()
        if cycle is not None:  # bounds in time, so that the database can use the index by time
            earliest, latest = cycle.starts_at - _MARGIN_MS, cycle.ends_at + _MARGIN_MS
            statement = statement.where(sessions.c.started_at.between(earliest, latest))
    return statement


def covering(
    connection: Connection, tables: Tables, account: Any, end_user_id: str, at: int, *, preview: bool
) -> SessionRow | None:
    """The end-user's session less than 24 hours from `at`, on either side (`S5`)."""
    sessions = tables.sessions
    row = connection.execute(
        select(sessions)
        .where(
            sessions.c.account_no == account.account_no,
            sessions.c.end_user_id == end_user_id,
            sessions.c.preview == preview,
            sessions.c.started_at > at - DAY_MS,
            sessions.c.started_at < at + DAY_MS,
        )
        .order_by(sessions.c.started_at)
        .limit(1)
    ).one_or_none()
    return None if row is None else session_of(row, account)


def explain(connection: Connection, tables: Tables, session_id: str) -> Explanation | None:
    """Why a session was charged; None when no session has this id."""
    sessions, accounts, cycles = tables.sessions, tables.accounts, tables.cycles
    if not _SESSION_ID.fullmatch(session_id):
        return None
    row = connection.execute(select(sessions).where(sessions.c.session_id == session_id).limit(1)).one_or_none()
    if row is None:
        return None
    account = connection.execute(select(accounts).where(accounts.c.account_no == row.account_no)).one()
    cycle = connection.execute(
        select(cycles).where(cycles.c.account_no == row.account_no, cycles.c.number == row.cycle_number)
    ).one()
    session = session_of(row, account)
    return Explanation(
        session=session,
        cycle=span_of(cycle),
        is_late=row.at >= cycle.ends_at,
        pack_number=_pack_number(connection, tables, row),
        used_before=row.used - 1,
        used_after=row.used,
        remaining_before=row.total - row.used + 1,
        remaining_after=row.total - row.used,
        previous=_neighbour(connection, tables, row, account, sessions.c.started_at < row.started_at, newest=True),
        next=_neighbour(connection, tables, row, account, sessions.c.started_at > row.started_at, newest=False),
        led_to=_led_to(connection, tables, row, account),
    )


def _neighbour(
    connection: Connection, tables: Tables, row: Any, account: Any, where: ColumnElement[bool], *, newest: bool
) -> SessionRow | None:
    """The end-user's session next to it in time, in the same mode."""
    sessions = tables.sessions
    same_end_user = (
        sessions.c.account_no == row.account_no,
        sessions.c.end_user_id == row.end_user_id,
        sessions.c.preview == row.preview,
    )
    order = sessions.c.started_at.desc() if newest else sessions.c.started_at
    found = connection.execute(select(sessions).where(*same_end_user, where).order_by(order).limit(1)).one_or_none()
    return None if found is None else session_of(found, account)


def _pack_number(connection: Connection, tables: Tables, row: Any) -> int | None:
    """The number of the pack in its cycle that the session came from; credits are used after all packs."""
    if row.pool != "purchased":
        return None
    history = tables.history
    packs = connection.execute(
        select(history.c.packs)
        .where(
            history.c.account_no == row.account_no,
            history.c.cycle_number == row.cycle_number,
            history.c.journal_offset < row.journal_offset,
        )
        .order_by(history.c.journal_offset.desc())
        .limit(1)
    ).scalar_one_or_none()
    _, pack_sessions = pack_of(connection, tables, row.account_no, before=row.journal_offset)
    if not packs or not pack_sessions:
        return None
    number = (row.used - 1) // pack_sessions + 1
    return int(number) if number <= packs else None


def _led_to(connection: Connection, tables: Tables, row: Any, account: Any) -> Any:
    history = tables.history
    found = connection.execute(
        select(history)
        .where(
            history.c.account_no == row.account_no,
            history.c.journal_offset.between(row.journal_offset - _EVENTS_MAX, row.journal_offset + _EVENTS_MAX),
            history.c.at == row.at,  # leaves out a cycle that it found due: that started earlier, at the boundary
            history.c.cause_topic == row.cause_topic,
            history.c.cause_offset == row.cause_offset,
        )
        .order_by(history.c.journal_offset)
    ).all()
    return entries_of(connection, tables, account, found)


def session_of(row: Any, account: Any) -> SessionRow:
    """The session of a row."""
    return SessionRow(
        session_id=row.session_id,
        account_id=account.account_id,
        end_user_id=row.end_user_id,
        preview=row.preview,
        started_at=row.started_at,
        ends_at=row.started_at + DAY_MS,
        charged_at=row.at,
        cycle_number=row.cycle_number,
        pool=row.pool,
        used=row.used,
        total=row.total,
        bot_id=row.bot_id,
        conversation_id=row.conversation_id,
        widget=row.widget,
        place=place_of(row, account.partition),
        cause=cause_of(row, account.partition),
    )
