"""How far the journal is projected, by partition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from botmeter.readside.results import Freshness
from botmeter.readside.tables import Tables


def all_progress(connection: Connection, tables: Tables, now: int) -> Sequence[Freshness]:
    """Every partition of every topic, by topic and number."""
    progress = tables.progress
    rows = connection.execute(select(progress).order_by(progress.c.topic, progress.c.partition))
    return [_freshness(row, now) for row in rows]


def worst(connection: Connection, tables: Tables, journal: str, now: int) -> Freshness | None:
    """The journal's partition that lags most."""
    partitions = [each for each in all_progress(connection, tables, now) if each.topic == journal]
    return max(partitions, key=lambda each: (each.lag_ms is None, each.lag_ms or 0, each.lag_records), default=None)


def of_partition(connection: Connection, tables: Tables, journal: str, partition: int, now: int) -> Freshness:
    """One partition of the journal; its row must exist."""
    progress = tables.progress
    is_it = (progress.c.topic == journal, progress.c.partition == partition)
    return _freshness(connection.execute(select(progress).where(*is_it)).one(), now)


def _freshness(row: Any, now: int) -> Freshness:
    return Freshness(
        topic=row.topic,
        partition=row.partition,
        offset=row.next_offset,
        high_watermark=row.high_watermark,
        event_at=row.event_at,
        level_at=row.level_at,
        lag_records=max(row.high_watermark - row.next_offset, 0),
        lag_ms=None if row.level_at is None else max(now - row.level_at, 0),
    )
