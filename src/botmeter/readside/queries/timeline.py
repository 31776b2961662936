"""The history of an account: events, handoffs, suspensions, charges, commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, Table, func, select

from botmeter.readside.queries.cursors import decode_cursor, encode_cursor
from botmeter.readside.queries.from_rows import cause_of, money_of, place_of
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
#: The events that can stop or resume the bots.
_SUSPENDING_OR_RESUMING: Final = ("sessions_exhausted", "sessions_available", "account_closed")


def page(
    connection: Connection, tables: Tables, account: Any, types: Sequence[str] | None, limit: int, cursor: str | None
) -> TimelinePage:
    """One page of an account's events, newest first."""
    history = tables.history
    statement = select(history).where(history.c.account_no == account.account_no)
    if types is None:
        statement = statement.where(history.c.type != "command_handled")
    else:
        statement = statement.where(history.c.type.in_(types))
    rows, next_cursor = _newest(connection, history, statement, "timeline", limit, cursor)
    return TimelinePage(entries_of(connection, tables, account, rows), next_cursor)


def handoffs(connection: Connection, tables: Tables, account: Any, limit: int, cursor: str | None) -> HandoffPage:
    """One page of the conversations that went to the agents, newest first."""
    statement = select(tables.handoffs).where(tables.handoffs.c.account_no == account.account_no)
    rows, next_cursor = _newest(connection, tables.handoffs, statement, "handoffs", limit, cursor)
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
            for row in rows
        ),
        next_cursor,
    )


def _newest(
    connection: Connection, table: Table, statement: Select[Any], query: str, limit: int, cursor: str | None
) -> tuple[Sequence[Any], str | None]:
    """The rows after the cursor, and the next cursor."""
    if cursor is not None:
        [offset] = decode_cursor(query, cursor, int)
        statement = statement.where(table.c.journal_offset < offset)
    ordered = statement.order_by(table.c.journal_offset.desc()).limit(limit + 1)
    rows = connection.execute(ordered).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], None if last is None else encode_cursor(query, last.journal_offset)


def entries_of(connection: Connection, tables: Tables, account: Any, rows: Sequence[Any]) -> tuple[TimelineEntry, ...]:
    """The events of rows of the history, with who issued them and the deliveries of their alerts."""
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
    """Who issued the commands behind rows of the history, by command id and time.

    The time belongs to the key: a cycle that a command found due has an earlier time, and no issuer.
    """
    history, command_ids = tables.history, sorted({row.command_id for row in rows} - {None})
    if not command_ids:
        return {}
    handled = connection.execute(
        select(history.c.command_id, history.c.at, history.c.issued_by).where(
            history.c.account_no == account_no,
            history.c.command_id.in_(command_ids),
            history.c.type == "command_handled",
        )
    )
    return {(row.command_id, row.at): row.issued_by for row in handled}


def _deliveries(connection: Connection, tables: Tables, alert_ids: Iterable[str]) -> Mapping[str, list[Delivery]]:
    deliveries, ids = tables.deliveries, sorted(alert_ids)
    if not ids:
        return {}
    by_alert: dict[str, list[Delivery]] = {}
    statement = select(deliveries).where(deliveries.c.alert_id.in_(ids)).order_by("alert_id", "delivery_id")
    for row in connection.execute(statement):
        by_alert.setdefault(row.alert_id, []).append(
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
    return by_alert


def latest_deliveries(connection: Connection, tables: Tables, account_ids: Sequence[str]) -> Mapping[str, int]:
    """When the notifier last reported a delivery, by account; accounts without any are left out."""
    deliveries = tables.deliveries
    rows = connection.execute(
        select(deliveries.c.account_id, func.max(deliveries.c.at))
        .where(deliveries.c.account_id.in_(account_ids))
        .group_by(deliveries.c.account_id)
    )
    return {row[0]: row[1] for row in rows}


def suspensions(connection: Connection, tables: Tables, account: Any, limit: int) -> Sequence[Suspension]:
    """The times in which the bots did not answer, newest first."""
    history = tables.history
    events = connection.execute(
        select(history.c.type, history.c.at, history.c.journal_offset, history.c.detail)
        .where(history.c.account_no == account.account_no, history.c.type.in_(_SUSPENDING_OR_RESUMING))
        .order_by(history.c.journal_offset.desc())
        .limit(2 * limit + 1)
    ).all()
    found: list[Suspension] = []
    resumed: Any = None
    for event in events:
        fields = _fields(event.detail)
        if event.type == "sessions_available":
            resumed = event
        elif event.type == "sessions_exhausted" or not fields["was_exhausted"]:
            found.append(
                Suspension(
                    since=event.at,
                    reason=fields.get("reason", event.type),
                    until=None if resumed is None else resumed.at,
                    resumed_by=None if resumed is None else _fields(resumed.detail)["reason"],
                    handoffs=_count_handoffs(connection, tables, account.account_no, event, resumed),
                )
            )
            resumed = None
    return found[:limit]


def _count_handoffs(connection: Connection, tables: Tables, account_no: int, suspended: Any, resumed: Any) -> int:
    offset = tables.handoffs.c.journal_offset
    statement = select(func.count()).where(
        tables.handoffs.c.account_no == account_no, offset > suspended.journal_offset
    )
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
    fields = _fields(row.detail)
    is_renewal = row.type == "cycle_started"
    is_recharge = fields.get("trigger") == "auto_recharge"
    return ChargeRow(
        at=row.at,
        kind="renewal" if is_renewal else "auto_recharge" if is_recharge else "purchase",
        cycle_number=row.cycle_number,
        packs=fields["packs"],
        sessions=fields["total"] if is_renewal else fields["sessions"],
        charge=Money(row.amount_minor, row.currency),
        issued_by=None if is_renewal or is_recharge else issuers.get((row.command_id, row.at)),
        command_id=None if is_renewal or is_recharge else row.command_id,
        place=place_of(row, account.partition),
    )


def commands(
    connection: Connection, tables: Tables, account: Any, *, command_id: str | None, limit: int
) -> Sequence[CommandRow]:
    """Commands of an account, newest first: all, or those with one id."""
    history = tables.history
    statement = select(history).where(history.c.account_no == account.account_no, history.c.type == "command_handled")
    if command_id is not None:
        statement = statement.where(history.c.command_id == command_id)
    ordered = statement.order_by(history.c.journal_offset.desc()).limit(limit)
    rows = connection.execute(ordered).all()
    charged = _charges_by_command(connection, tables, account.account_no, [row.command_id for row in rows])
    return [_command_of(row, account, charged) for row in rows]


def _charges_by_command(
    connection: Connection, tables: Tables, account_no: int, command_ids: Sequence[str]
) -> Mapping[tuple[str, int], Money]:
    """The charge of each command, by its id and the offset of its record."""
    history = tables.history
    purchases = connection.execute(
        select(history).where(
            history.c.account_no == account_no,
            history.c.command_id.in_(command_ids),
            history.c.type == "packs_purchased",
        )
    )
    return {(row.command_id, row.cause_offset): Money(row.amount_minor, row.currency) for row in purchases}


def _command_of(row: Any, account: Any, charged: Mapping[tuple[str, int], Money]) -> CommandRow:
    fields = _fields(row.detail)
    return CommandRow(
        command_id=row.command_id,
        command=fields["command"],
        issued_by=row.issued_by,
        at=row.at,
        result=fields["result"],
        reason=fields["reason"],
        message=fields["message"],
        charge=charged.get((row.command_id, row.cause_offset)),
        place=place_of(row, account.partition),
        cause=cause_of(row, account.partition),
    )
