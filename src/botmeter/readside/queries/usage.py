"""Usage over time, and the burn-down of a cycle."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Final

from sqlalchemy import Connection, func, select

from botmeter.contracts.encoding import decode_account
from botmeter.readside.local_time import DAY_MS, starts
from botmeter.readside.queries.accounts import reached_at
from botmeter.readside.queries.forecasts import forecasts
from botmeter.readside.queries.from_rows import span_of
from botmeter.readside.queries.steps import steps_of
from botmeter.readside.results import (
    Bucket,
    BurnDown,
    CycleSpan,
    RemainingPoint,
    ThresholdLine,
    UsageBucket,
    UsageBy,
    UsageSeries,
)
from botmeter.readside.tables import Tables

#: A cycle up to this length is drawn by the hour.
_BY_HOUR_MS: Final = 62 * DAY_MS


def series(
    connection: Connection, tables: Tables, account: Any, since: int, until: int, bucket: Bucket, by: UsageBy | None
) -> UsageSeries:
    """Sessions by bucket of the account's own time, empty ones too."""
    bounds = list(starts(since, until, account.time_zone, bucket))
    counts = _counts(connection, tables, account.account_no, bounds, bucket, by)
    totals: dict[str, int] = {}
    for (_, key), sessions in counts.items():
        totals[key] = totals.get(key, 0) + sessions
    keys = () if by is None else tuple(sorted(totals, key=lambda key: (-totals[key], key)))
    parts = [tuple(counts.get((start, key), 0) for key in keys or ("",)) for start in bounds[:-1]]
    sums = [sum(each) for each in parts]
    return UsageSeries(
        time_zone=account.time_zone,
        bucket=bucket,
        by=by,
        keys=keys,
        buckets=tuple(
            UsageBucket(begin, end, sessions, cumulative, part if by else ())
            for (begin, end), sessions, cumulative, part in zip(
                pairwise(bounds), sums, accumulate(sums), parts, strict=True
            )
        ),
        total=sum(sums),
    )


def _counts(
    connection: Connection, tables: Tables, account_no: int, bounds: Sequence[int], bucket: Bucket, by: UsageBy | None
) -> Mapping[tuple[int, str], int]:
    table = tables.usage_hours if bucket == "hour" else tables.usage_days
    columns: Mapping[UsageBy | None, Any] = {
        "widget": table.c.widget,
        "bot": table.c.bot_id,
        "mode": table.c.preview,
    }
    key = columns.get(by)
    chosen = (table.c.bucket,) if key is None else (table.c.bucket, key)
    rows = connection.execute(
        select(func.sum(table.c.sessions), *chosen)
        .where(table.c.account_no == account_no, table.c.bucket >= bounds[0], table.c.bucket < bounds[-1])
        .group_by(*chosen)
    )
    names: dict[Any, str] = {True: "preview", False: "live"}
    return {(row[1], "" if key is None else names.get(row[2], str(row[2]))): int(row[0]) for row in rows}


# --- Burn-down -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A moment at which the remaining sessions are known exactly: before and after an event."""

    at: int
    before: int
    after: int


def burn_down(
    connection: Connection, tables: Tables, account: Any, cycle_number: int | None, now: int
) -> BurnDown | None:
    """The remaining sessions over a cycle; None when the account has no such cycle."""
    cycles = tables.cycles
    number = account.cycle_number if cycle_number is None else cycle_number
    row = connection.execute(
        select(cycles).where(cycles.c.account_no == account.account_no, cycles.c.number == number)
    ).one_or_none()
    if row is None:
        return None
    cycle, is_current = span_of(row), number == account.cycle_number
    anchors = _anchors(connection, tables, account, cycle, now if is_current else None)
    width: Bucket = "hour" if cycle.ends_at - cycle.starts_at <= _BY_HOUR_MS else "day"
    used = series(connection, tables, account, anchors[0].at, anchors[-1].at + 1, width, None)
    return BurnDown(
        cycle=cycle,
        is_current=is_current,
        points=tuple(_points(anchors, used.buckets)),
        steps=steps_of(connection, tables, account, number),
        thresholds=_lines(connection, tables, account) if is_current else (),
        forecast=forecasts(connection, tables, [account], now).get(account.account_no) if is_current else None,
    )


def _anchors(connection: Connection, tables: Tables, account: Any, cycle: CycleSpan, now: int | None) -> list[_Anchor]:
    """The anchors from the cycle's beginning to its end, or to now; always at least two."""
    history = tables.history
    rows = connection.execute(
        select(history)
        .where(history.c.account_no == account.account_no, history.c.cycle_number == cycle.number)
        .order_by(history.c.journal_offset)
    ).all()
    moments = accumulate((row.at for row in rows), max)  # a broker's clock may step back
    anchors = [
        _Anchor(at, row.total - row.used - row.moved, row.total - row.used)
        for at, row in zip(moments, rows, strict=True)
    ]
    anchors[0] = _Anchor(anchors[0].at, anchors[0].after, anchors[0].after)  # without the rest of the cycle before
    if now is not None:
        return [*anchors, _Anchor(max(now, anchors[-1].at), account.remaining, account.remaining)]
    next_start = connection.execute(
        select(history)
        .where(
            history.c.account_no == account.account_no,
            history.c.cycle_number == cycle.number + 1,
            history.c.type == "cycle_started",
        )
        .limit(1)
    ).one()
    left = next_start.total - next_start.used - next_start.moved
    return [*anchors, _Anchor(max(next_start.at, anchors[-1].at), left, left)]


def _points(anchors: Sequence[_Anchor], buckets: Sequence[UsageBucket]) -> list[RemainingPoint]:
    """The line through the anchors, shaped by the buckets' usage between them; a jump is two points at one moment."""
    points = [RemainingPoint(anchors[0].at, anchors[0].after)]
    bucket_starts = [bucket.starts_at for bucket in buckets]
    for last, this in pairwise(anchors):
        start, end = bisect_right(bucket_starts, last.at), bisect_right(bucket_starts, this.at - 1)
        inside = buckets[max(start - 1, 0) : end]
        total, spent = sum(bucket.sessions for bucket in inside), last.after - this.before
        done = 0
        for bucket in inside[:-1]:
            done += bucket.sessions
            if total and bucket.sessions:
                points.append(RemainingPoint(bucket.ends_at, last.after - round(spent * done / total)))
        points.extend(RemainingPoint(this.at, remaining) for remaining in (this.before, this.after))
    return _without_repeats(points)


def _without_repeats(points: Sequence[RemainingPoint]) -> list[RemainingPoint]:
    return [point for number, point in enumerate(points) if number == 0 or point != points[number - 1]]


def _lines(connection: Connection, tables: Tables, account: Any) -> tuple[ThresholdLine, ...]:
    known = decode_account(account.account.encode())
    reached = reached_at(connection, tables, account.account_no)
    return tuple(
        ThresholdLine(
            percent=percent,
            remaining=account.total - -(-percent * account.total // 100),
            reached_at=reached.get(percent) if percent in known.allowance.reached else None,
        )
        for percent in known.terms.thresholds
    )
