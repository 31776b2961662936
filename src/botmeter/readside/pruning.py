"""Usage by the hour is kept for about a year; older rows are deleted, a few accounts at a time."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Engine, delete, select

from botmeter.readside.database import writing
from botmeter.readside.local_time import DAY_MS
from botmeter.readside.tables import Tables

#: Accounts per transaction, so that no other writer waits for more than milliseconds.
_ACCOUNTS: Final = 500


class HourPruner:
    """Prunes all accounts once a day, step by step, while there is nothing else to write."""

    def __init__(self, engine: Engine, tables: Tables, keep_days: int) -> None:
        self._engine, self._tables, self._keep_ms = engine, tables, keep_days * DAY_MS
        self._after = -1
        self._idle_until = 0

    def step(self, now: int) -> None:
        """Deletes the old hours of the next few accounts, if a round is under way or due at `now` (UTC ms)."""
        if now < self._idle_until:
            return
        accounts, hours = self._tables.accounts, self._tables.usage_hours
        next_accounts = select(accounts.c.account_no).where(accounts.c.account_no > self._after).order_by("account_no")
        with writing(self._engine) as connection:
            numbers = connection.execute(next_accounts.limit(_ACCOUNTS)).scalars().all()
            if numbers:
                of_these_accounts = hours.c.account_no.between(numbers[0], numbers[-1])
                connection.execute(delete(hours).where(of_these_accounts, hours.c.bucket < now - self._keep_ms))
        self._after = numbers[-1] if numbers else -1
        if not numbers:
            self._idle_until = now + DAY_MS
