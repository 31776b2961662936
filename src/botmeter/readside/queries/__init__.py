"""Every number that API and page show, asked here: one class, one method a question.

Each method reads in one transaction of its own, so that what it answers is of one moment. Nothing is ever written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Engine

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


class Queries:
    """The questions; may be asked from many threads at once. `now` is the time of asking, UTC ms, of a wall clock.

    Of an account that is not known, methods that answer one thing answer None, and those that answer lists empty ones.
    Cursors are opaque texts; one that is not of the same question raises ValueError.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # --- Freshness ---------------------------------------------------------------------------------------------------

    def freshness(self, now: int, account_id: str | None = None) -> Freshness | None:
        """How far the numbers reach: of an account's partition, else of the one that lags most."""
        raise NotImplementedError

    def progress(self, now: int) -> Sequence[Freshness]:
        """How far every partition is projected, the journal's first."""
        raise NotImplementedError

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
    ) -> AccountPage:
        """Accounts whose id contains `search`, by the risk of running out (exhausted first, closed last) or by id.

        `only` keeps to these account ids: what a caller may see.
        """
        raise NotImplementedError

    def count_by_state(self, only: Sequence[str] | None = None) -> Mapping[AccountState, int]:
        """How many accounts are in each state; states without accounts count 0."""
        raise NotImplementedError

    def summary(self, account_id: str) -> AccountSummary | None:
        """The account as its line in the list has it: the balance, fast."""
        raise NotImplementedError

    def account(self, account_id: str, now: int) -> AccountDetail | None:
        """Everything of an account but its history."""
        raise NotImplementedError

    def open_session(self, account_id: str, end_user_id: str, at: int, *, preview: bool) -> SessionRow | None:
        """The end-user's session whose 24 hours cover the moment `at` (`S5`), if there is one."""
        raise NotImplementedError

    # --- Usage -------------------------------------------------------------------------------------------------------

    def usage(
        self, account_id: str, since: int, until: int, *, bucket: Bucket = "day", by: UsageBy | None = None
    ) -> UsageSeries | None:
        """Sessions started in each hour or day of the account's own time that overlaps `[since, until)`."""
        raise NotImplementedError

    def burn_down(self, account_id: str, now: int, cycle_number: int | None = None) -> BurnDown | None:
        """What remained over a cycle, the current one by default; with a forecast for the current one."""
        raise NotImplementedError

    # --- Sessions ----------------------------------------------------------------------------------------------------

    def sessions(
        self, account_id: str, wanted: SessionFilter, *, limit: int = 50, cursor: str | None = None
    ) -> SessionPage:
        """Sessions, newest first."""
        raise NotImplementedError

    def all_sessions(self, account_id: str, wanted: SessionFilter) -> Iterator[SessionRow]:
        """Every session, oldest first, streamed: for CSV and NDJSON. The iterator holds a connection until it ends."""
        raise NotImplementedError

    def explain(self, session_id: str) -> Explanation | None:
        """Why a session was charged, and to what."""
        raise NotImplementedError

    # --- History -----------------------------------------------------------------------------------------------------

    def timeline(
        self,
        account_id: str,
        *,
        types: Sequence[str] | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> TimelinePage:
        """The account's events but sessions and chats handed off, newest first, with who issued them.

        `types` are those of the journal; alerts, for example, are `results.ALERTS`.
        """
        raise NotImplementedError

    def handoffs(self, account_id: str, *, limit: int = 50, cursor: str | None = None) -> HandoffPage:
        """Conversations that went to the agents, newest first."""
        raise NotImplementedError

    def suspensions(self, account_id: str, limit: int = 50) -> Sequence[Suspension]:
        """The times in which the bots stood still, newest first."""
        raise NotImplementedError

    def charges(self, account_id: str, cycle_number: int | None = None) -> Sequence[ChargeRow]:
        """Money charged, newest first; of one cycle, or of all."""
        raise NotImplementedError

    def commands(self, account_id: str, limit: int = 50) -> Sequence[CommandRow]:
        """The commands of an account, newest first."""
        raise NotImplementedError

    def command(self, account_id: str, command_id: str) -> CommandRow | None:
        """One command, once it was judged."""
        raise NotImplementedError

    # --- Statements --------------------------------------------------------------------------------------------------

    def cycles(self, account_id: str) -> Sequence[CycleSpan]:
        """The billing cycles of an account, newest first."""
        raise NotImplementedError

    def statement(self, account_id: str, cycle_number: int, now: int) -> Statement | None:
        """One cycle in sessions and money; the current one as it stands."""
        raise NotImplementedError

    # --- What if -----------------------------------------------------------------------------------------------------

    def what_if(self, account_id: str, scenario: Scenario, cycles: int = 3) -> WhatIf | None:
        """The last cycles (the current one too) under other packs, thresholds or auto-recharge."""
        raise NotImplementedError
