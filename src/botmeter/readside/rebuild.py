"""A rebuild: projects the whole journal into new tables, which then replace the present ones.

Readers see the old tables until the switch, and the new ones from then on. A projection that runs meanwhile notices the
switch at its next transaction and continues in the new tables.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import Engine, select, update

from botmeter.errors import ConfigurationError
from botmeter.readside.database import current_generation, writing
from botmeter.readside.projection import Progress, Projection, Source
from botmeter.readside.tables import TABLES, Generation, Tables, generation_table, metadata

log = logging.getLogger(__name__)

#: Queries under way when the tables are switched have this long to end.
_GRACE_S: Final = 5.0
#: Limits the transactions: a projection that runs meanwhile waits for one of them at most.
_BATCH_RECORDS_MAX: Final = 50_000


def rebuild(
    engine: Engine,
    source: Source,
    *,
    batch_records: int,
    hours_days: int,
    stop: threading.Event,
    on_progress: Callable[[Progress], None],
) -> bool:
    """Projects the whole journal into new tables and makes them current; False when `stop` came first.

    Raises ConfigurationError when another rebuild is under way.
    """
    old = current_generation(engine)
    new: Generation = "b" if old == "a" else "a"
    _create_tables(engine, TABLES[new])
    is_done = threading.Event()
    Projection(
        engine,
        source,
        batch_records=min(batch_records, _BATCH_RECORDS_MAX),
        hours_days=hours_days,
        rebuilt=new,
        on_progress=_LevelWatcher(is_done, on_progress).watch,
    ).run(_AnyOf(stop, is_done))
    if stop.is_set():
        return False
    with writing(engine) as connection:
        connection.execute(update(generation_table).values(generation=new))
    log.info("read side: the new tables are current")
    stop.wait(_GRACE_S)
    _drop_tables(engine, TABLES[old])
    return True


class _LevelWatcher:
    """Sets a flag once the projection is level."""

    def __init__(self, is_done: threading.Event, on_progress: Callable[[Progress], None]) -> None:
        self._is_done, self._on_progress = is_done, on_progress

    def watch(self, progress: Progress) -> None:
        self._on_progress(progress)
        if progress.is_level:
            self._is_done.set()


class _AnyOf(threading.Event):
    """Set as soon as one of several events is."""

    def __init__(self, *events: threading.Event) -> None:
        super().__init__()
        self._events = events

    def is_set(self) -> bool:
        return any(event.is_set() for event in self._events)

    def wait(self, timeout: float | None = None) -> bool:
        return self._events[0].wait(timeout) or self.is_set()


def _create_tables(engine: Engine, tables: Tables) -> None:
    """Creates the tables; those that an interrupted rebuild left are dropped first."""
    with writing(engine) as connection:
        if connection.dialect.has_table(connection, tables.lease.name):
            expires_at = connection.execute(select(tables.lease.c.expires_at)).scalar_one_or_none()
            if expires_at is not None and expires_at > time.time_ns() // 1_000_000:
                raise ConfigurationError("another rebuild is under way, or ended less than 10 s ago")
        metadata.drop_all(connection, tables=tables.all())
        metadata.create_all(connection, tables=tables.all())


def _drop_tables(engine: Engine, tables: Tables) -> None:
    with writing(engine) as connection:
        metadata.drop_all(connection, tables=tables.all())
