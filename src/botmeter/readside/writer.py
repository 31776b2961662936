"""The transaction of the projection: rows and offsets together, or nothing.

With two projections at once, the lease keeps the second one waiting. Should both believe they hold it (clocks differ, a
process was paused), the later transaction finds an unexpected offset and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Final

from sqlalchemy import Connection, Engine, Table, select, update

from botmeter.contracts.delivery import Delivery
from botmeter.domain.events import Event
from botmeter.errors import BotmeterError
from botmeter.readside.database import current_tables, writing
from botmeter.readside.loading import Loader, Values, columns_of
from botmeter.readside.rows import COUNTS, Row, Rows, project
from botmeter.readside.standing import Standing, account_row, standing_of
from botmeter.readside.tables import Generation, Tables

#: A projection that does not renew its lease for this long is taken as ended; the next one takes over.
LEASE_MS: Final = 10_000
#: Accounts kept in memory between batches.
_ACCOUNTS_MAX: Final = 100_000
#: Ids in one statement; SQLite takes some thousands of parameters.
_IDS_A_QUERY: Final = 1_000


class Overtaken(BotmeterError):  # noqa: N818 - named by what happened
    """Another projection has written, or another set of tables is current.

    Recovery: drop the accounts in memory, read the offsets again, continue from there.
    """


class Standby(BotmeterError):  # noqa: N818 - named by what is to be done
    """Another projection holds the lease. Recovery: try again later."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a partition of a topic is read: everything below `next_offset`."""

    topic: str
    partition: int
    topic_id: str
    next_offset: int


@dataclass(frozen=True, slots=True)
class Advance:
    """How a batch changes a position. `event_at` and `level_at` are None where the batch does not change them."""

    position: Position
    next_offset: int
    high_watermark: int
    event_at: int | None
    level_at: int | None


@dataclass(slots=True)
class Batch:
    """Records read, in the order of each partition, and the positions after them."""

    events: list[tuple[int, int, Event]] = field(default_factory=list)
    deliveries: list[tuple[int, Delivery]] = field(default_factory=list)
    advances: list[Advance] = field(default_factory=list)


class Writer:
    """Writes batches into one set of tables. Used by one thread."""

    def __init__(self, engine: Engine, tables: Tables, owner: str, current: Generation | None) -> None:
        """`owner` names this projection; `current` is the set that must be current, None for a rebuild."""
        self._engine, self._tables, self._owner, self._current = engine, tables, owner, current
        self._loader = Loader(engine)
        self._standings: dict[str, Standing] = {}
        #: By partition: the journal offset below which an operator has accepted that events are lost.
        self.gaps_below: dict[int, int] = {}

    def positions(self, topic: str, topic_id: str, partitions: Iterable[int], now: int) -> list[Position]:
        """The position from which each partition is read; new partitions start at offset 0."""
        progress = self._tables.progress
        with writing(self._engine) as connection:
            new_rows = [
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
            connection.execute(self._loader.insert(progress).on_conflict_do_nothing(), new_rows)
            rows = connection.execute(select(progress).where(progress.c.topic == topic).order_by("partition"))
            return [Position(row.topic, row.partition, row.topic_id, row.next_offset) for row in rows]

    def write(self, batch: Batch, now: int) -> None:
        """Writes a batch in one transaction. `now` is this machine's time, UTC ms.

        Raises Overtaken, Standby or Gap, or the database's own errors; then nothing was written.
        """
        rows = Rows()
        try:
            with writing(self._engine) as connection:
                self._take_lease(connection, now)
                self._advance(connection, batch.advances, now)
                self._fold(connection, batch.events, rows)
                self._write_rows(connection, rows)
                self._write_deliveries(connection, batch.deliveries)
        except BaseException:
            self._standings.clear()  # they are ahead of the database now
            raise
        self._evict_accounts()

    def release(self, now: int) -> None:
        """Releases the lease, so that another projection need not wait until it expires."""
        lease = self._tables.lease
        with writing(self._engine) as connection:
            connection.execute(update(lease).where(lease.c.owner == self._owner).values(expires_at=now))

    # --- Steps of the transaction ------------------------------------------------------------------------------------

    def _take_lease(self, connection: Connection, now: int) -> None:
        if self._current is not None and current_tables(connection).generation != self._current:
            raise Overtaken("another set of tables is current")
        lease = self._tables.lease
        held = connection.execute(select(lease).with_for_update()).one_or_none()
        if held is not None and held.owner != self._owner and held.expires_at > now:
            raise Standby(f"the projection {held.owner} writes")
        mine = {"id": 1, "owner": self._owner, "expires_at": now + LEASE_MS}
        statement = self._loader.insert(lease).values(mine)
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
            project(self._standings, rows, partition, offset, event, self.gaps_below.get(partition, 0))

    def _load(self, connection: Connection, account_ids: Iterable[str]) -> None:
        accounts, missing = self._tables.accounts, sorted(account_ids)
        for start in range(0, len(missing), _IDS_A_QUERY):
            ids = missing[start : start + _IDS_A_QUERY]
            for row in connection.execute(select(accounts).where(accounts.c.account_id.in_(ids))):
                self._standings[row.account_id] = standing_of(row)

    def _write_rows(self, connection: Connection, rows: Rows) -> None:
        tables, loader = self._tables, self._loader
        # By account: neighbours in a batch become neighbours in the indexes, and in the table.
        loader.add(connection, tables.sessions, sorted(rows.sessions, key=itemgetter(0)))
        loader.add(connection, tables.history, _values(tables.history, rows.history))
        loader.add(connection, tables.handoffs, _values(tables.handoffs, rows.handoffs))
        for table, usage in ((tables.usage_hours, rows.hours), (tables.usage_days, rows.days)):
            loader.add_up(connection, table, ("sessions",), sorted((*key, count) for key, count in usage.items()))
        loader.add_up(connection, tables.cycles, COUNTS, _values(tables.cycles, rows.cycles.values()))
        accounts = sorted(rows.touched.values(), key=attrgetter("account_no"))
        loader.replace(connection, tables.accounts, _values(tables.accounts, map(account_row, accounts)))

    def _write_deliveries(self, connection: Connection, deliveries: Sequence[tuple[int, Delivery]]) -> None:
        latest = {
            each.delivery_id: _delivery_row(offset, each) for offset, each in deliveries
        }  # the last report counts
        table = self._tables.deliveries
        self._loader.replace(connection, table, _values(table, latest.values()))

    def _evict_accounts(self) -> None:
        """Drops the accounts longest in memory when there are too many."""
        for account_id in list(self._standings)[: max(len(self._standings) - _ACCOUNTS_MAX, 0)]:
            del self._standings[account_id]


def _values(table: Table, rows: Iterable[Row]) -> list[Values]:
    columns = itemgetter(*columns_of(table))
    return [columns(row) for row in rows]


def _delivery_row(offset: int, delivery: Delivery) -> Row:
    return {
        "delivery_id": delivery.delivery_id,
        "account_id": delivery.account_id,
        "alert_id": delivery.alert_id,
        "at": delivery.at,
        "channel": delivery.channel,
        "recipient": _without_nul(delivery.recipient),
        "state": delivery.state,
        "attempts": delivery.attempts,
        "reason": None if delivery.reason is None else _without_nul(delivery.reason),
        "topic_offset": offset,
    }


def _without_nul(text: str) -> str:
    """Removes NUL, which PostgreSQL cannot store and a mail server's answer may contain."""
    return text.replace("\x00", "")
