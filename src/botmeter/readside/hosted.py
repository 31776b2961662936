"""The read side as another program has it inside: questions, and for SQLite the projection in a thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from botmeter.errors import BotmeterError
from botmeter.readside.database import open_database
from botmeter.readside.migrations import migrate
from botmeter.readside.projection import Progress, Projection, Source
from botmeter.readside.queries import Queries
from botmeter.readside.used_links import UsedLinks

log = logging.getLogger(__name__)

#: A projection that had to end is begun anew after this.
_PAUSE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ReadSide:
    """What a program has of the database: the questions, and which login links were used."""

    queries: Queries
    used_links: UsedLinks


@contextmanager
def read_side(
    url: str, source: Source, batch_records: int, on_progress: Callable[[Progress], None] = lambda _: None
) -> Iterator[ReadSide]:
    """Questions to the database at `url`, its tables made. One of SQLite is projected into while the block lasts.

    `on_progress` is told how far that is; it must be quick. Into PostgreSQL `botmeter project` projects. Raises
    ConfigurationError for a URL that is none.
    """
    engine = open_database(url)
    try:
        migrate(engine)
        found = ReadSide(Queries(engine, source.journal), UsedLinks(engine))
        if engine.dialect.name == "sqlite":
            with _projecting(lambda: Projection(engine, source, batch_records=batch_records, on_progress=on_progress)):
                yield found
        else:
            yield found
    finally:
        engine.dispose()


@contextmanager
def _projecting(make: Callable[[], Projection]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=_project, args=(make, stop), name="botmeter-projection", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _project(make: Callable[[], Projection], stop: threading.Event) -> None:
    """Projects until told to stop. What it cannot mend it logs, and tries again; questions tell how old they are."""
    while not stop.is_set():
        try:
            make().run(stop)
        except BotmeterError:
            log.exception("the projection ended; it is begun anew in %.0f s", _PAUSE_S)
            stop.wait(_PAUSE_S)
