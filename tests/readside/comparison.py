"""Compares what the queries answer with a plain fold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, select

from botmeter.domain.events import InteractionCause
from botmeter.domain.naming import type_name
from botmeter.readside.database import reading
from botmeter.readside.queries import Queries
from botmeter.readside.results import SessionFilter

from .journals import JOURNAL
from .plain_fold import EPOCH, Told

NOW = 1_900_000_000_000


def assert_equal(engine: Engine, told: dict[str, Told], journal: str = JOURNAL) -> None:
    queries = Queries(engine, journal)
    assert {row.account_id for row in queries.accounts(limit=100, now=NOW).accounts} == set(told)
    for account_id, each in told.items():
        assert_balance(queries, account_id, each)
        assert_sessions(queries, account_id, each)
        assert_statements(queries, account_id, each)
        assert_history(queries, account_id, each)
    with reading(engine) as (connection, tables):
        assert_usage(list(connection.execute(select(tables.usage_hours))), told, "%Y-%m-%dT%H%z", connection, tables)
        assert_usage(list(connection.execute(select(tables.usage_days))), told, "%Y-%m-%d", connection, tables)


def assert_balance(queries: Queries, account_id: str, told: Told) -> None:
    found, account = queries.account(account_id, NOW), told.account
    assert found is not None
    shown, allowance, terms = found.summary, account.allowance, account.terms
    assert (shown.total, shown.used, shown.remaining) == (allowance.total, allowance.used, allowance.remaining)
    assert (shown.pool, shown.packs, shown.packs_next_cycle) == (
        allowance.pool, allowance.packs, allowance.packs_next_cycle,
    )  # fmt: skip
    assert (shown.plan, shown.place.version) == (terms.plan, account.version)
    assert (found.cycle.number, found.cycle.starts_at, found.cycle.ends_at) == (
        account.cycle.number, account.cycle.starts_at, account.cycle.ends_at,
    )  # fmt: skip
    is_active = shown.state in {"active", "near_end"}
    assert (account.status if not is_active else "active") == account.status
    assert is_active == (account.status == "active")
    assert tuple(each.percent for each in found.thresholds) == terms.thresholds
    assert {each.percent for each in found.thresholds if each.is_reached} == set(allowance.reached) & set(
        terms.thresholds
    )


def assert_sessions(queries: Queries, account_id: str, told: Told) -> None:
    rows = list(queries.all_sessions(account_id, SessionFilter()))
    assert [(row.session_id, row.used, row.cycle_number) for row in rows] == [
        (each.session_id, each.used, each.cycle_number)
        for each in sorted(told.sessions, key=lambda each: (each.started_at, each.version))
    ]
    by_version = {each.version: each for each in told.sessions}
    for row in rows:
        wanted = by_version[row.place.version]
        assert (row.end_user_id, row.preview, row.started_at, row.ends_at, row.charged_at, row.pool) == (
            wanted.end_user_id, wanted.preview, wanted.started_at, wanted.ends_at, wanted.at, wanted.pool,
        )  # fmt: skip
        assert isinstance(wanted.cause, InteractionCause)
        assert (row.cause.topic, row.cause.offset, row.cause.id) == (
            wanted.cause.topic, wanted.cause.offset, wanted.cause.event_id,
        )  # fmt: skip


def assert_statements(queries: Queries, account_id: str, told: Told) -> None:
    """The sums of every statement are those of the journal, and they close."""
    assert [cycle.number for cycle in queries.cycles(account_id)] == sorted(told.cycles, reverse=True)
    left = 0
    for number, counted in sorted(told.cycles.items()):
        found = queries.statement(account_id, number, NOW)
        assert found is not None
        assert (found.sessions, found.late_sessions, found.previews) == (
            counted.sessions,
            counted.late,
            counted.previews,
        )
        assert (found.granted, found.purchased, found.credited, found.forfeited) == (
            counted.granted, counted.purchased, counted.credited, counted.forfeited,
        )  # fmt: skip
        assert found.expired == counted.expired - counted.late
        assert found.opening == left
        assert found.remaining == counted.remaining
        assert (found.charge.amount_minor if found.charge else 0) == counted.amount_minor
        assert sum(line.charge.amount_minor for line in found.charges) == counted.amount_minor
        assert found.handoffs == counted.handoffs
        left = counted.remaining


def assert_history(queries: Queries, account_id: str, told: Told) -> None:
    entries = queries.timeline(account_id, limit=10_000).entries
    handled = queries.commands(account_id, limit=10_000)
    assert sorted([(row.place.version, "command_handled") for row in handled] + [
        (entry.place.version, entry.type) for entry in entries
    ]) == [(each.version, type_name(type(each))) for each in told.others]  # fmt: skip
    assert [row.handoff_id for row in reversed(queries.handoffs(account_id, limit=10_000).handoffs)] == [
        each.handoff_id for each in told.handoffs
    ]


def assert_usage(rows: list[Any], told: dict[str, Told], form: str, connection: Any, tables: Any) -> None:
    names = dict(connection.execute(select(tables.accounts.c.account_no, tables.accounts.c.account_id)).all())
    found: dict[Any, int] = {}
    for row in rows:
        account_id = names[row.account_no]
        zone = ZoneInfo(told[account_id].account.terms.time_zone)
        moment = (EPOCH + timedelta(milliseconds=row.bucket)).astimezone(zone)
        found[account_id, moment.strftime(form), row.widget, row.bot_id, row.preview] = row.sessions
    wanted = {
        (account_id, *key): count
        for account_id, each in told.items()
        for key, count in (each.hours if "H" in form else each.days).items()
    }
    assert found == wanted


def dump(engine: Engine) -> dict[str, list[Any]]:
    """Every row of every table that does not tell of the writing itself."""
    with reading(engine) as (connection, tables):
        return {
            table.name: sorted(
                map(repr, connection.execute(select(*(column for column in table.c if column.name != "id"))))
            )
            for table in tables.all()
            if table not in (tables.lease, tables.progress)
        }
