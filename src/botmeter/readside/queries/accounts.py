"""The list of accounts, and one account in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, Final, get_args

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from botmeter.contracts.encoding import decode_account
from botmeter.readside.queries.cursors import decode_cursor, encode_cursor
from botmeter.readside.queries.forecasts import forecasts
from botmeter.readside.queries.from_rows import NUL, place_of
from botmeter.readside.results import (
    AccountDetail,
    AccountLine,
    AccountPage,
    AccountState,
    AccountSummary,
    AutoRecharge,
    CycleSpan,
    Forecast,
    Freshness,
    Money,
    SortBy,
    Threshold,
)
from botmeter.readside.tables import Tables

STATES: Final[tuple[AccountState, ...]] = get_args(AccountState)
#: How many of the latest alerts are searched for the thresholds; an account has at most 99 thresholds.
_ALERTS_SEARCHED: Final = 200


def page(
    connection: Connection,
    tables: Tables,
    *,
    search: str,
    state: AccountState | None,
    only: Sequence[str] | None,
    sort: SortBy,
    limit: int,
    cursor: str | None,
    now: int,
) -> AccountPage:
    """One page of the list of accounts."""
    accounts = tables.accounts
    conditions: list[ColumnElement[bool]] = []
    if NUL in search:
        return AccountPage((), None)
    if search:
        account_id = accounts.c.account_id
        # SQLite's LIKE ignores case by default; `icontains` would add two conversions a row.
        is_sqlite = connection.dialect.name == "sqlite"
        matches = account_id.contains if is_sqlite else account_id.icontains
        conditions.append(matches(search, autoescape=True))
    if state is not None:
        conditions.append(accounts.c.state == state)
    if only is not None:
        conditions.append(accounts.c.account_id.in_(only))
    key = (accounts.c.risk, accounts.c.account_no) if sort == "risk" else (accounts.c.account_id,)
    if cursor is not None:
        conditions.append(_after(key, decode_cursor(sort, cursor, *(int,) * len(key) if sort == "risk" else (str,))))
    # In two steps: the first one reads an index alone.
    chosen = select(accounts.c.account_no).where(*conditions).order_by(*key).limit(limit + 1).subquery()
    rows = connection.execute(
        select(accounts).join(chosen, chosen.c.account_no == accounts.c.account_no).order_by(*key)
    ).all()
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    key_of_last = () if last is None else (last.risk, last.account_no) if sort == "risk" else (last.account_id,)
    by_account = forecasts(connection, tables, shown, now)
    lines = [_line_of(row, by_account.get(row.account_no)) for row in shown]
    if sort == "risk":
        lines.sort(key=_risk)
    return AccountPage(tuple(lines), None if last is None else encode_cursor(sort, *key_of_last))


def _risk(line: AccountLine) -> tuple[int, float]:
    """Orders the lines of one page by the dates they show: the stored order rests on a simpler pace."""
    rank = {"exhausted": 0, "closed": 2}.get(line.state, 1)
    return rank, inf if line.runs_out_at is None else line.runs_out_at


def _line_of(row: Any, forecast: Forecast | None) -> AccountLine:
    """An account as a line of the list."""
    shown = forecast if forecast is not None and forecast.is_founded else None
    terms = decode_account(row.account.encode()).terms
    return AccountLine(
        **_balance_of(row),
        pace_per_day=None if shown is None else round(shown.pace_per_day, 1),
        runs_out_at=None if shown is None else shown.runs_out_at,
        auto_recharge=AutoRecharge(terms.recharge_below, terms.recharge_packs) if terms.recharge_packs else None,
    )


def summaries(connection: Connection, tables: Tables, account_ids: Sequence[str]) -> Sequence[AccountSummary]:
    """The balances of these accounts, in no order."""
    accounts = tables.accounts
    rows = connection.execute(select(accounts).where(accounts.c.account_id.in_(account_ids)))
    return [summary_of(row) for row in rows]


def _after(key: Sequence[ColumnElement[Any]], values: Sequence[int | str]) -> ColumnElement[bool]:
    """Rows whose key comes after the values."""
    if len(key) == 1:
        return key[0] > values[0]
    return or_(key[0] > values[0], and_(key[0] == values[0], key[1] > values[1]))


def count_by_state(connection: Connection, tables: Tables, only: Sequence[str] | None) -> Mapping[AccountState, int]:
    """How many accounts are in each state."""
    accounts = tables.accounts
    statement = select(accounts.c.state, func.count()).group_by(accounts.c.state)
    if only is not None:
        statement = statement.where(accounts.c.account_id.in_(only))
    counts: dict[str, int] = {row[0]: row[1] for row in connection.execute(statement)}
    return {state: counts.get(state, 0) for state in STATES}


def summary_of(row: Any) -> AccountSummary:
    """The account's balance."""
    return AccountSummary(**_balance_of(row))


def _balance_of(row: Any) -> dict[str, Any]:
    return {
        "account_id": row.account_id,
        "state": row.state,
        "since": row.state_since,
        "reason": row.state_reason,
        "plan": row.plan,
        "pool": row.pool,
        "total": row.total,
        "used": row.used,
        "remaining": row.remaining,
        "used_percent": row.used_permille / 10,
        "packs": row.packs,
        "packs_next_cycle": row.packs_next_cycle,
        "cycle_number": row.cycle_number,
        "cycle_starts_at": row.cycle_starts_at,
        "cycle_ends_at": row.cycle_ends_at,
        "time_zone": row.time_zone,
        "last_session_at": row.last_session_at,
        "place": place_of(row, row.partition),
    }


def detail(connection: Connection, tables: Tables, row: Any, freshness: Freshness) -> AccountDetail:
    """The account of a row, in full."""
    account = decode_account(row.account.encode())
    terms, allowance = account.terms, account.allowance
    reached = reached_at(connection, tables, row.account_no)
    price, pack_sessions = pack_of(connection, tables, row.account_no)
    forfeited = _forfeited(connection, tables, row.account_no)
    return AccountDetail(
        summary=summary_of(row),
        opened_at=row.opened_at,
        cycle=CycleSpan(row.cycle_number, terms.billing_cycle, row.cycle_starts_at, row.cycle_ends_at),
        next_billing_cycle=terms.next_billing_cycle,
        thresholds=tuple(
            Threshold(
                percent=percent,
                at_sessions=-(-percent * allowance.total // 100),
                is_reached=percent in allowance.reached,
                reached_at=reached.get(percent) if percent in allowance.reached else None,
            )
            for percent in terms.thresholds
        ),
        auto_recharge=AutoRecharge(terms.recharge_below, terms.recharge_packs) if terms.recharge_packs else None,
        contacts=tuple(terms.contacts),
        complimentary_granted=terms.complimentary_granted,
        complimentary_forfeited_at=None if forfeited is None else forfeited.at,
        complimentary_forfeited=None if forfeited is None else -forfeited.moved,
        pack_price=price,
        pack_sessions=pack_sessions,
        freshness=freshness,
    )


def reached_at(connection: Connection, tables: Tables, account_no: int) -> Mapping[int, int]:
    """When each threshold was reached last, by its percentage."""
    history = tables.history
    rows = connection.execute(
        select(history.c.at, history.c.detail)
        .where(history.c.account_no == account_no, history.c.type == "threshold_reached")
        .order_by(history.c.journal_offset.desc())
        .limit(_ALERTS_SEARCHED)
    ).all()
    return {msgspec.json.decode(row.detail)["percent"]: row.at for row in reversed(rows)}


def pack_of(
    connection: Connection, tables: Tables, account_no: int, before: int | None = None
) -> tuple[Money | None, int | None]:
    """Price and sessions of one pack, from the last charge (before a journal offset); None before the first."""
    history = tables.history
    statement = (
        select(history)
        .where(
            history.c.account_no == account_no,
            history.c.type.in_(["packs_purchased", "cycle_started"]),
            history.c.amount_minor.is_not(None),
        )
        .order_by(history.c.journal_offset.desc())
        .limit(1)
    )
    if before is not None:
        statement = statement.where(history.c.journal_offset < before)
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None, None
    fields = msgspec.json.decode(row.detail)
    sessions = fields.get("sessions", fields["total"])
    return Money(row.amount_minor // fields["packs"], row.currency), sessions // fields["packs"]


def _forfeited(connection: Connection, tables: Tables, account_no: int) -> Any:
    history = tables.history
    return connection.execute(
        select(history.c.at, history.c.moved)
        .where(history.c.account_no == account_no, history.c.type == "complimentary_forfeited")
        .order_by(history.c.journal_offset.desc())
        .limit(1)
    ).one_or_none()
