"""The transaction of the projection: rows and offsets together, or nothing.

Two projections at once: the lease keeps the second one waiting, and should both think they hold it (clocks differ, a
process was paused), an offset that is not the expected one lets the later transaction write nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from botmeter.contracts.delivery import Delivery
from botmeter.domain.events import Event
from botmeter.errors import BotmeterError
from botmeter.readside.database import current_tables, writing
from botmeter.readside.rows import COUNTS, Row, Rows, project
from botmeter.readside.standing import Standing, account_row, standing_of
from botmeter.readside.tables import Generation, Tables

_Upsert = sqlite.Insert | postgresql.Insert
_Insert = Callable[[Table], _Upsert]
_INSERTS: Final[dict[str, _Insert]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

#: A projection that says nothing for so long has ended; the next one takes over.
LEASE_MS: Final = 10_000
#: Accounts kept in memory between batches.
_ACCOUNTS_MAX: Final = 100_000
#: Ids asked for in one statement; SQLite takes some thousands of parameters.
_IDS_A_QUERY: Final = 1_000


class Overtaken(BotmeterError):  # noqa: N818 - named by what happened
    """Another projection has written, or another set of tables is current.

    Recovery: forget what is in memory, read the offsets anew, go on from there.
    """


class Standby(BotmeterError):  # noqa: N818 - named by what is to be done
    """Another projection holds the lease. Recovery: ask again later."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a partition of a topic is read: everything below `next_offset`."""

    topic: str
    partition: int
    topic_id: str
    next_offset: int


@dataclass(frozen=True, slots=True)
class Advance:
    """What a batch does to a position. `event_at` and `level_at` are None where the batch tells nothing of them."""

    position: Position
    next_offset: int
    high_watermark: int
    event_at: int | None
    level_at: int | None


@dataclass(slots=True)
class Batch:
    """Records read, in the order of each partition, and where that leads."""

    events: list[tuple[int, int, Event]] = field(default_factory=list)
    deliveries: list[tuple[int, Delivery]] = field(default_factory=list)
    advances: list[Advance] = field(default_factory=list)


class Writer:
    """Writes batches into one set of tables. Used by one thread."""

    def __init__(self, engine: Engine, tables: Tables, owner: str, current: Generation | None) -> None:
        """`owner` names this projection; `current` is the set that must be current, None for a rebuild."""
        self._engine, self._tables, self._owner, self._current = engine, tables, owner, current
        self._insert: _Insert = _INSERTS[engine.dialect.name]
        self._standings: dict[str, Standing] = {}

    def positions(self, topic: str, topic_id: str, partitions: Iterable[int], now: int) -> list[Position]:
        """Where each partition is to be read on; those seen for the first time from their beginning."""
        progress = self._tables.progress
        with writing(self._engine) as connection:
            fresh = [
                {
                    "topic": topic,
                    "partition": partition,
                    "topic_id": topic_id,
                    "next_offset": 0,
                    "high_watermark": 0,
                    "written_at": now,
                }
                for partition in partitions
            ]
            connection.execute(self._insert(progress).on_conflict_do_nothing(), fresh)
            found = connection.execute(select(progress).where(progress.c.topic == topic).order_by("partition"))
            return [Position(row.topic, row.partition, row.topic_id, row.next_offset) for row in found]

    def write(self, batch: Batch, now: int) -> frozenset[str]:
        """Writes a batch in one transaction; the accounts it changed. `now` is this machine's time, UTC ms.

        Raises Overtaken or Standby, and whatever else goes wrong; then nothing was written.
        """
        rows = Rows()
        try:
            with writing(self._engine) as connection:
                self._hold_lease(connection, now)
                self._advance(connection, batch.advances, now)
                self._fold(connection, batch.events, rows)
                self._write_rows(connection, rows)
                self._write_deliveries(connection, batch.deliveries)
        except BaseException:
            self._standings.clear()  # they are ahead of the database now
            raise
        self._forget_some()
        return frozenset(rows.touched)

    def release(self, now: int) -> None:
        """Gives the lease back, so that another projection need not wait for its end."""
        lease = self._tables.lease
        with writing(self._engine) as connection:
            connection.execute(update(lease).where(lease.c.owner == self._owner).values(expires_at=now))

    # --- Steps of the transaction ------------------------------------------------------------------------------------

    def _hold_lease(self, connection: Connection, now: int) -> None:
        if self._current is not None and current_tables(connection).generation != self._current:
            raise Overtaken("another set of tables is current")
        lease = self._tables.lease
        held = connection.execute(select(lease).with_for_update()).one_or_none()
        if held is not None and held.owner != self._owner and held.expires_at > now:
            raise Standby(f"the projection {held.owner} writes")
        mine = {"id": 1, "owner": self._owner, "expires_at": now + LEASE_MS}
        statement = self._insert(lease).values(mine)
        connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=mine))

    def _advance(self, connection: Connection, advances: Iterable[Advance], now: int) -> None:
        progress = self._tables.progress
        for advance in sorted(advances, key=lambda each: (each.position.topic, each.position.partition)):
            position = advance.position
            known = {"event_at": advance.event_at, "level_at": advance.level_at}
            done = connection.execute(
                update(progress)
                .where(
                    progress.c.topic == position.topic,
                    progress.c.partition == position.partition,
                    progress.c.next_offset == position.next_offset,
                )
                .values(
                    next_offset=advance.next_offset,
                    high_watermark=advance.high_watermark,
                    written_at=now,
                    **{name: value for name, value in known.items() if value is not None},
                )
            )
            if done.rowcount != 1:
                raise Overtaken(f"{position.topic}, partition {position.partition}: another projection was faster")

    def _fold(self, connection: Connection, events: Sequence[tuple[int, int, Event]], rows: Rows) -> None:
        self._load(connection, {event.account_id for _, _, event in events} - self._standings.keys())
        for partition, offset, event in events:
            project(self._standings, rows, partition, offset, event)

    def _load(self, connection: Connection, account_ids: Iterable[str]) -> None:
        accounts, missing = self._tables.accounts, sorted(account_ids)
        for begin in range(0, len(missing), _IDS_A_QUERY):
            some = missing[begin : begin + _IDS_A_QUERY]
            for row in connection.execute(select(accounts).where(accounts.c.account_id.in_(some))):
                self._standings[row.account_id] = standing_of(row)

    def _write_rows(self, connection: Connection, rows: Rows) -> None:
        tables = self._tables
        for table, added in (
            (tables.sessions, rows.sessions),
            (tables.history, rows.history),
            (tables.handoffs, rows.handoffs),
        ):
            if added:
                connection.execute(insert(table), added)
        for table, usage in ((tables.usage_hours, rows.hours), (tables.usage_days, rows.days)):
            if usage:
                connection.execute(self._adding(table, ("sessions",)), _usage_rows(usage))
        if rows.cycles:
            connection.execute(self._adding(tables.cycles, COUNTS), list(rows.cycles.values()))
        if rows.touched:
            connection.execute(self._replacing(tables.accounts), [account_row(each) for each in rows.touched.values()])

    def _write_deliveries(self, connection: Connection, deliveries: Sequence[tuple[int, Delivery]]) -> None:
        latest = {each.delivery_id: _delivery_row(offset, each) for offset, each in deliveries}  # the last word counts
        if latest:
            connection.execute(self._replacing(self._tables.deliveries), list(latest.values()))

    def _adding(self, table: Table, counts: Sequence[str]) -> _Upsert:
        """Inserts rows, or adds their counts to those there are; all else of a row there is stays."""
        statement = self._insert(table)
        changed: dict[str, Any] = {name: table.c[name] + statement.excluded[name] for name in counts}
        for name in ("journal_offset", "currency"):
            if name in table.c:
                changed[name] = func.coalesce(statement.excluded[name], table.c[name])
        return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)

    def _replacing(self, table: Table) -> _Upsert:
        """Inserts rows, or replaces those there are."""
        statement = self._insert(table)
        key = list(table.primary_key)
        changed = {column.name: statement.excluded[column.name] for column in table.c if column not in key}
        return statement.on_conflict_do_update(index_elements=key, set_=changed)

    def _forget_some(self) -> None:
        """Drops the accounts longest in memory when there are too many."""
        for account_id in list(self._standings)[: max(len(self._standings) - _ACCOUNTS_MAX, 0)]:
            del self._standings[account_id]


def _usage_rows(usage: Mapping[tuple[int, int, str, str, bool], int]) -> list[Row]:
    return [
        {
            "account_no": number,
            "bucket": bucket,
            "widget": widget,
            "bot_id": bot_id,
            "preview": preview,
            "sessions": sessions,
        }
        for (number, bucket, widget, bot_id, preview), sessions in usage.items()
    ]


def _delivery_row(offset: int, delivery: Delivery) -> Row:
    return {
        "delivery_id": delivery.delivery_id,
        "account_id": delivery.account_id,
        "alert_id": delivery.alert_id,
        "at": delivery.at,
        "channel": delivery.channel,
        "recipient": delivery.recipient,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "reason": delivery.reason,
        "topic_offset": offset,
    }
