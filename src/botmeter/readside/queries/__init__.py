"""Every number that API and page show: one class, one method a query.

Each method reads in one transaction of its own, so that its result is consistent. Nothing is ever written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Engine

from botmeter.contracts.pseudonyms import stored_end_user_id
from botmeter.domain.prices import PriceBook, Pseudonyms
from botmeter.readside.database import reading
from botmeter.readside.queries import accounts, freshness, sessions, statements, timeline, usage, what_if
from botmeter.readside.queries.from_rows import find_account
from botmeter.readside.results import (
    AccountDetail,
    AccountPage,
    AccountState,
    AccountSummary,
    Bucket,
    BurnDown,
    ChargeRow,
    CommandRow,
    CycleSpan,
    Explanation,
    Freshness,
    HandoffPage,
    Scenario,
    SessionFilter,
    SessionPage,
    SessionRow,
    SortBy,
    Statement,
    Suspension,
    TimelinePage,
    UsageBy,
    UsageSeries,
    WhatIf,
)
from botmeter.readside.tables import Tables


class Queries:
    """The queries; may be used from many threads at once. `now` is the wall clock's time of the query, UTC ms.

    For an unknown account, methods that return one thing return None, and those that return lists return empty ones.
    Cursors are opaque texts; one of another query raises ValueError.
    """

    def __init__(self, engine: Engine, journal: str = "botmeter.journal", pseudonyms: Pseudonyms | None = None) -> None:
        """`journal` is the name of its topic; `pseudonyms` make the end-user ids it holds, None: it holds plain ids."""
        self._engine, self._journal, self._pseudonyms = engine, journal, pseudonyms

    @contextmanager
    def _account(self, account_id: str) -> Iterator[tuple[Connection, Tables, Any]]:
        """A transaction, the tables, and the account's row or None."""
        with reading(self._engine) as (connection, tables):
            yield connection, tables, find_account(connection, tables, account_id)

    def _freshness(self, connection: Connection, tables: Tables, account: Any, now: int) -> Freshness:
        return freshness.of_partition(connection, tables, self._journal, account.partition, now)

    # --- Freshness ---------------------------------------------------------------------------------------------------

    def freshness(self, now: int, account_id: str | None = None) -> Freshness | None:
        """How far an account's partition is projected; without an account, the partition that lags most."""
        with reading(self._engine) as (connection, tables):
            if account_id is None:
                return freshness.worst(connection, tables, self._journal, now)
            account = find_account(connection, tables, account_id)
            if account is None:
                return None
            return freshness.of_partition(connection, tables, self._journal, account.partition, now)

    def progress(self, now: int) -> Sequence[Freshness]:
        """How far every partition is projected, by topic and number."""
        with reading(self._engine) as (connection, tables):
            return freshness.all_progress(connection, tables, now)

    # --- Accounts ----------------------------------------------------------------------------------------------------

    def accounts(
        self,
        *,
        search: str = "",
        state: AccountState | None = None,
        only: Sequence[str] | None = None,
        sort: SortBy = "risk",
        limit: int = 50,
        cursor: str | None = None,
        now: int,
    ) -> AccountPage:
        """Accounts whose id contains `search`, by the risk of running out (exhausted first, closed last) or by id.

        `only` limits the list to these account ids: those that the caller may see. Each line has the forecast of the
        account's page.
        """
        with reading(self._engine) as (connection, tables):
            return accounts.page(
                connection,
                tables,
                search=search,
                state=state,
                only=only,
                sort=sort,
                limit=limit,
                cursor=cursor,
                now=now,
            )

    def count_by_state(self, only: Sequence[str] | None = None) -> Mapping[AccountState, int]:
        """How many accounts are in each state; states without accounts count 0."""
        with reading(self._engine) as (connection, tables):
            return accounts.count_by_state(connection, tables, only)

    def summary(self, account_id: str) -> AccountSummary | None:
        """The account's balance, by one indexed lookup."""
        with self._account(account_id) as (_, _, account):
            return None if account is None else accounts.summary_of(account)

    def summaries(self, account_ids: Sequence[str]) -> Sequence[AccountSummary]:
        """The balances of these accounts; unknown ones are left out."""
        with reading(self._engine) as (connection, tables):
            return accounts.summaries(connection, tables, account_ids)

    def account(self, account_id: str, now: int) -> AccountDetail | None:
        """Everything of an account except its history."""
        with self._account(account_id) as (connection, tables, account):
            if account is None:
                return None
            return accounts.detail(connection, tables, account, self._freshness(connection, tables, account, now))

    def open_session(self, account_id: str, end_user_id: str, at: int, *, preview: bool) -> SessionRow | None:
        """The end-user's session whose 24 hours cover the moment `at` (`S5`), if there is one."""
        with self._account(account_id) as (connection, tables, account):
            if account is None:
                return None
            stored_id = stored_end_user_id(self._pseudonyms, account_id, end_user_id)
            return sessions.covering(connection, tables, account, stored_id, at, preview=preview)

    # --- Usage -------------------------------------------------------------------------------------------------------

    def usage(
        self, account_id: str, since: int, until: int, *, bucket: Bucket = "day", by: UsageBy | None = None
    ) -> UsageSeries | None:
        """Sessions started in each hour or day of the account's own time that overlaps `[since, until)`."""
        with self._account(account_id) as (connection, tables, account):
            if account is None:
                return None
            return usage.series(connection, tables, account, since, until, bucket, by)

    def burn_down(self, account_id: str, now: int, cycle_number: int | None = None) -> BurnDown | None:
        """The remaining sessions over a cycle, the current one by default; with a forecast for the current one."""
        with self._account(account_id) as (connection, tables, account):
            if account is None:
                return None
            return usage.burn_down(connection, tables, account, cycle_number, now)

    # --- Sessions ----------------------------------------------------------------------------------------------------

    def sessions(
        self, account_id: str, wanted: SessionFilter, *, limit: int = 50, cursor: str | None = None
    ) -> SessionPage:
        """Sessions, newest first."""
        with self._account(account_id) as (connection, tables, account):
            if account is None:
                return SessionPage((), None)
            return sessions.page(connection, tables, account, self._with_stored_id(account_id, wanted), limit, cursor)

    def all_sessions(self, account_id: str, wanted: SessionFilter) -> Iterator[SessionRow]:
        """Every session, oldest first, streamed: for CSV and NDJSON. The iterator holds a connection until it ends."""
        with self._account(account_id) as (connection, tables, account):
            if account is not None:
                yield from sessions.stream(connection, tables, account, self._with_stored_id(account_id, wanted))

    def _with_stored_id(self, account_id: str, wanted: SessionFilter) -> SessionFilter:
        if wanted.end_user_id is None:
            return wanted
        return replace(wanted, end_user_id=stored_end_user_id(self._pseudonyms, account_id, wanted.end_user_id))

    def explain(self, session_id: str) -> Explanation | None:
        """Why a session was charged, and to what."""
        with reading(self._engine) as (connection, tables):
            return sessions.explain(connection, tables, session_id)

    # --- History -----------------------------------------------------------------------------------------------------

    def timeline(
        self,
        account_id: str,
        *,
        types: Sequence[str] | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> TimelinePage:
        """The account's events except sessions and chats handed off, newest first, with who issued them.

        `types` are those of the journal; alerts, for example, are `results.ALERTS`.
        """
        with self._account(account_id) as (connection, tables, account):
            if account is None:
                return TimelinePage((), None)
            return timeline.page(connection, tables, account, types, limit, cursor)

    def latest_deliveries(self, account_ids: Sequence[str]) -> Mapping[str, int]:
        """When the notifier last reported a delivery (UTC ms), by account; accounts without any are left out."""
        with reading(self._engine) as (connection, tables):
            return timeline.latest_deliveries(connection, tables, account_ids)

    def handoffs(self, account_id: str, *, limit: int = 50, cursor: str | None = None) -> HandoffPage:
        """Conversations that went to the agents, newest first."""
        with self._account(account_id) as (connection, tables, account):
            if account is None:
                return HandoffPage((), None)
            return timeline.handoffs(connection, tables, account, limit, cursor)

    def suspensions(self, account_id: str, limit: int = 50) -> Sequence[Suspension]:
        """The times in which the bots did not answer, newest first."""
        with self._account(account_id) as (connection, tables, account):
            if account is None:
                return ()
            return timeline.suspensions(connection, tables, account, limit)

    def charges(self, account_id: str, cycle_number: int | None = None) -> Sequence[ChargeRow]:
        """Money charged, newest first; of one cycle, or of all."""
        with self._account(account_id) as (connection, tables, account):
            if account is None:
                return ()
            return timeline.charges(connection, tables, account, cycle_number)

    def commands(self, account_id: str, limit: int = 50) -> Sequence[CommandRow]:
        """The commands of an account, newest first."""
        with self._account(account_id) as (connection, tables, account):
            if account is None:
                return ()
            return timeline.commands(connection, tables, account, command_id=None, limit=limit)

    def command(self, account_id: str, command_id: str) -> CommandRow | None:
        """One command; None until it has a result."""
        with self._account(account_id) as (connection, tables, account):
            if account is None:
                return None
            found = timeline.commands(connection, tables, account, command_id=command_id, limit=1)
            return found[0] if found else None

    # --- Statements --------------------------------------------------------------------------------------------------

    def cycles(self, account_id: str) -> Sequence[CycleSpan]:
        """The billing cycles of an account, newest first."""
        with self._account(account_id) as (connection, tables, account):
            if account is None:
                return ()
            return statements.cycles(connection, tables, account)

    def statement(self, account_id: str, cycle_number: int, now: int) -> Statement | None:
        """One cycle in sessions and money; the current one as it stands."""
        with self._account(account_id) as (connection, tables, account):
            if account is None:
                return None
            return statements.statement(
                connection, tables, account, cycle_number, self._freshness(connection, tables, account, now)
            )

    # --- What if -----------------------------------------------------------------------------------------------------

    def what_if(
        self, account_id: str, scenario: Scenario, cycles: int = 3, *, prices: PriceBook | None = None
    ) -> WhatIf | None:
        """The last cycles (the current one too) under other packs, thresholds or auto-recharge.

        `prices` apply to an account that has not been charged yet; others pay what they paid last. The current cycle
        is taken to have run until the time up to which the journal is projected.
        """
        with self._account(account_id) as (connection, tables, account):
            if account is None:
                return None
            level_at = self._freshness(connection, tables, account, account.updated_at).level_at
            until = max(level_at or 0, account.updated_at)
            return what_if.replay(connection, tables, account, scenario, cycles, prices or PriceBook(), until)
