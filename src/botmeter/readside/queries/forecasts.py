"""How long sessions will last: the same forecast for the account's page, the list of accounts, and the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Connection, func, select

from botmeter.readside.forecast import DayOfUsage, forecast
from botmeter.readside.local_time import DAY_MS, starts
from botmeter.readside.results import Forecast
from botmeter.readside.tables import Tables

#: How far back a forecast looks.
_BASIS_MS: Final = 56 * DAY_MS
#: How far ahead it looks for a pool that does not expire with the cycle.
_AHEAD_MS: Final = 60 * DAY_MS


def forecasts(connection: Connection, tables: Tables, accounts: Sequence[Any], now: int) -> Mapping[int, Forecast]:
    """Forecasts by account number, from rows of accounts; closed accounts and those without sessions left have none."""
    open_ = [account for account in accounts if account.state not in {"exhausted", "closed"} and account.remaining]
    used = _by_day(connection, tables, [account.account_no for account in open_], now)
    made = ((account.account_no, _forecast(account, used.get(account.account_no, {}), now)) for account in open_)
    return {account_no: result for account_no, result in made if result is not None}


def _by_day(
    connection: Connection, tables: Tables, account_nos: Sequence[int], now: int
) -> Mapping[int, Mapping[int, int]]:
    """Sessions by account and start of the day."""
    days = tables.usage_days
    statement = (
        select(days.c.account_no, days.c.bucket, func.sum(days.c.sessions))
        .where(days.c.account_no.in_(account_nos), days.c.bucket > now - _BASIS_MS - 2 * DAY_MS, days.c.bucket < now)
        .group_by(days.c.account_no, days.c.bucket)
    )
    by_day: dict[int, dict[int, int]] = {}
    for account_no, bucket, sessions in connection.execute(statement) if account_nos else ():
        by_day.setdefault(account_no, {})[bucket] = int(sessions)
    return by_day


def _forecast(account: Any, used: Mapping[int, int], now: int) -> Forecast | None:
    since = max(account.opened_at, now - _BASIS_MS)
    if since >= now:
        return None
    bounds = starts(since, now, account.time_zone, "day")
    usage = [DayOfUsage(max(begin, since), min(end, now), used.get(begin, 0)) for begin, end in pairwise(bounds)]
    ends_at = account.cycle_ends_at
    horizon_at = max(ends_at, now + _AHEAD_MS) if account.pool == "complimentary" else ends_at
    return forecast(now, max(horizon_at, now + 1), account.remaining, usage, account.time_zone)
