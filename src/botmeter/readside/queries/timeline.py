"""What happened to an account: events, handoffs, suspensions, charges, commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, Table, func, select

from botmeter.readside.queries.cursors import decode_cursor, encode_cursor
from botmeter.readside.queries.found import cause_of, money_of, place_of
from botmeter.readside.results import (
    ALERTS,
    ChargeRow,
    CommandRow,
    Delivery,
    HandoffPage,
    HandoffRow,
    Money,
    Suspension,
    TimelineEntry,
    TimelinePage,
)
from botmeter.readside.tables import Tables

_fields: Final = msgspec.json.Decoder(dict[str, Any]).decode
#: Every one of them stops or resumes the bots, if it changes anything.
_TURNS: Final = ("sessions_exhausted", "sessions_available", "account_closed")


def page(
    connection: Connection, tables: Tables, account: Any, types: Sequence[str] | None, limit: int, cursor: str | None
) -> TimelinePage:
    """Some events of an account, newest first."""
    history = tables.history
    statement = select(history).where(history.c.account_no == account.account_no)
    if types is None:
        statement = statement.where(history.c.type != "command_handled")
    else:
        statement = statement.where(history.c.type.in_(types))
    found, next_cursor = _newest(connection, history, statement, "timeline", limit, cursor)
    return TimelinePage(entries_of(connection, tables, account, found), next_cursor)


def handoffs(connection: Connection, tables: Tables, account: Any, limit: int, cursor: str | None) -> HandoffPage:
    """Some conversations that went to the agents, newest first."""
    statement = select(tables.handoffs).where(tables.handoffs.c.account_no == account.account_no)
    found, next_cursor = _newest(connection, tables.handoffs, statement, "handoffs", limit, cursor)
    return HandoffPage(
        tuple(
            HandoffRow(
                handoff_id=row.handoff_id,
                at=row.at,
                cycle_number=row.cycle_number,
                conversation_id=row.conversation_id,
                end_user_id=row.end_user_id,
                bot_id=row.bot_id,
                reason=row.reason,
                place=place_of(row, account.partition),
                cause=cause_of(row, account.partition),
            )
            for row in found
        ),
        next_cursor,
    )


def _newest(
    connection: Connection, table: Table, statement: Select[Any], question: str, limit: int, cursor: str | None
) -> tuple[Sequence[Any], str | None]:
    """The rows after the cursor, and the next cursor."""
    if cursor is not None:
        [offset] = decode_cursor(question, cursor, int)
        statement = statement.where(table.c.journal_offset < offset)
    ordered = statement.order_by(table.c.journal_offset.desc()).limit(limit + 1)
    found = connection.execute(ordered).all()
    last = found[limit - 1] if len(found) > limit else None
    return found[:limit], None if last is None else encode_cursor(question, last.journal_offset)


def entries_of(connection: Connection, tables: Tables, account: Any, rows: Sequence[Any]) -> tuple[TimelineEntry, ...]:
    """The events of rows of the history, with who issued them and what was sent of them."""
    issuers = issuers_of(connection, tables, account.account_no, rows)
    alerts = {f"{account.account_id}/{row.version}" for row in rows if row.type in ALERTS}
    sent = _deliveries(connection, tables, alerts)
    return tuple(
        TimelineEntry(
            type=row.type,
            at=row.at,
            cycle_number=row.cycle_number,
            pool=row.pool,
            total=row.total,
            used=row.used,
            moved=row.moved,
            packs=row.packs,
            charge=money_of(row),
            issued_by=None if row.type == "cycle_started" else issuers.get((row.command_id, row.at)),
            detail=_fields(row.detail),
            deliveries=tuple(sent.get(f"{account.account_id}/{row.version}", ())),
            place=place_of(row, account.partition),
            cause=cause_of(row, account.partition),
        )
        for row in rows
    )


def issuers_of(
    connection: Connection, tables: Tables, account_no: int, rows: Sequence[Any]
) -> Mapping[tuple[str, int], str]:
    """Who issued the commands behind rows of the history, by id and time: cycles found due were started by nobody."""
    history, wanted = tables.history, sorted({row.command_id for row in rows} - {None})
    if not wanted:
        return {}
    found = connection.execute(
        select(history.c.command_id, history.c.at, history.c.issued_by).where(
            history.c.account_no == account_no,
            history.c.command_id.in_(wanted),
            history.c.type == "command_handled",
        )
    )
    return {(row.command_id, row.at): row.issued_by for row in found}


def _deliveries(connection: Connection, tables: Tables, alert_ids: Iterable[str]) -> Mapping[str, list[Delivery]]:
    deliveries, wanted = tables.deliveries, sorted(alert_ids)
    if not wanted:
        return {}
    found: dict[str, list[Delivery]] = {}
    statement = select(deliveries).where(deliveries.c.alert_id.in_(wanted)).order_by("alert_id", "delivery_id")
    for row in connection.execute(statement):
        found.setdefault(row.alert_id, []).append(
            Delivery(
                delivery_id=row.delivery_id,
                alert_id=row.alert_id,
                at=row.at,
                channel=row.channel,
                recipient=row.recipient,
                state=row.state,
                attempts=row.attempts,
                reason=row.reason,
            )
        )
    return found


def latest_deliveries(connection: Connection, tables: Tables, account_ids: Sequence[str]) -> Mapping[str, int]:
    """When the notifier last told of a message, by account; accounts without messages are left out."""
    deliveries = tables.deliveries
    found = connection.execute(
        select(deliveries.c.account_id, func.max(deliveries.c.at))
        .where(deliveries.c.account_id.in_(account_ids))
        .group_by(deliveries.c.account_id)
    )
    return {row[0]: row[1] for row in found}


def suspensions(connection: Connection, tables: Tables, account: Any, limit: int) -> Sequence[Suspension]:
    """The times in which the bots stood still, newest first."""
    history = tables.history
    turns = connection.execute(
        select(history.c.type, history.c.at, history.c.journal_offset, history.c.detail)
        .where(history.c.account_no == account.account_no, history.c.type.in_(_TURNS))
        .order_by(history.c.journal_offset.desc())
        .limit(2 * limit + 1)
    ).all()
    found: list[Suspension] = []
    resumed: Any = None
    for turn in turns:
        told = _fields(turn.detail)
        if turn.type == "sessions_available":
            resumed = turn
        elif turn.type == "sessions_exhausted" or not told["was_exhausted"]:
            found.append(
                Suspension(
                    since=turn.at,
                    reason=told.get("reason", turn.type),
                    until=None if resumed is None else resumed.at,
                    resumed_by=None if resumed is None else _fields(resumed.detail)["reason"],
                    handoffs=_count_handoffs(connection, tables, account.account_no, turn, resumed),
                )
            )
            resumed = None
    return found[:limit]


def _count_handoffs(connection: Connection, tables: Tables, account_no: int, turn: Any, resumed: Any) -> int:
    offset = tables.handoffs.c.journal_offset
    statement = select(func.count()).where(tables.handoffs.c.account_no == account_no, offset > turn.journal_offset)
    if resumed is not None:
        statement = statement.where(offset < resumed.journal_offset)
    return int(connection.execute(statement).scalar_one())


def charges(connection: Connection, tables: Tables, account: Any, cycle_number: int | None) -> Sequence[ChargeRow]:
    """Money charged, newest first."""
    history = tables.history
    statement = select(history).where(
        history.c.account_no == account.account_no,
        history.c.type.in_(["packs_purchased", "cycle_started"]),
        history.c.amount_minor.is_not(None),
    )
    if cycle_number is not None:
        statement = statement.where(history.c.cycle_number == cycle_number)
    rows = connection.execute(statement.order_by(history.c.journal_offset.desc())).all()
    issuers = issuers_of(connection, tables, account.account_no, rows)
    return [_charge_of(row, account, issuers) for row in rows]


def _charge_of(row: Any, account: Any, issuers: Mapping[tuple[str, int], str]) -> ChargeRow:
    told = _fields(row.detail)
    is_renewal = row.type == "cycle_started"
    is_recharge = told.get("trigger") == "auto_recharge"
    return ChargeRow(
        at=row.at,
        kind="renewal" if is_renewal else "auto_recharge" if is_recharge else "purchase",
        cycle_number=row.cycle_number,
        packs=told["packs"],
        sessions=told["total"] if is_renewal else told["sessions"],
        charge=Money(row.amount_minor, row.currency),
        issued_by=None if is_renewal or is_recharge else issuers.get((row.command_id, row.at)),
        command_id=None if is_renewal or is_recharge else row.command_id,
        place=place_of(row, account.partition),
    )


def commands(
    connection: Connection, tables: Tables, account: Any, *, command_id: str | None, limit: int
) -> Sequence[CommandRow]:
    """Commands of an account, newest first; all, or those of one id."""
    history = tables.history
    statement = select(history).where(history.c.account_no == account.account_no, history.c.type == "command_handled")
    if command_id is not None:
        statement = statement.where(history.c.command_id == command_id)
    ordered = statement.order_by(history.c.journal_offset.desc()).limit(limit)
    rows = connection.execute(ordered).all()
    paid = _paid(connection, tables, account.account_no, [row.command_id for row in rows])
    return [_command_of(row, account, paid) for row in rows]


def _paid(
    connection: Connection, tables: Tables, account_no: int, command_ids: Sequence[str]
) -> Mapping[tuple[str, int], Money]:
    """What each command was charged, by its id and the offset of its record."""
    history = tables.history
    found = connection.execute(
        select(history).where(
            history.c.account_no == account_no,
            history.c.command_id.in_(command_ids),
            history.c.type == "packs_purchased",
        )
    )
    return {(row.command_id, row.cause_offset): Money(row.amount_minor, row.currency) for row in found}


def _command_of(row: Any, account: Any, paid: Mapping[tuple[str, int], Money]) -> CommandRow:
    told = _fields(row.detail)
    return CommandRow(
        command_id=row.command_id,
        command=told["command"],
        issued_by=row.issued_by,
        at=row.at,
        result=told["result"],
        reason=told["reason"],
        message=told["message"],
        charge=paid.get((row.command_id, row.cause_offset)),
        place=place_of(row, account.partition),
        cause=cause_of(row, account.partition),
    )
