"""The read side as another program has it inside: questions, and for SQLite a projection in a process beside it.

Projecting is work for a processor. In a thread it would hold the interpreter's lock while an answer waits for it.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import msgspec

from botmeter.domain.prices import Pseudonyms
from botmeter.readside.database import open_database
from botmeter.readside.hosted_process import Order
from botmeter.readside.migrations import migrate
from botmeter.readside.projection import Progress
from botmeter.readside.queries import Queries
from botmeter.readside.used_links import UsedLinks

log = logging.getLogger(__name__)

#: A projection that had to end is begun anew after this.
_PAUSE_S: Final = 5.0
#: What a transaction under way may take when the program ends; after it, it is repeated by the next start.
_LAST_TRANSACTION_S: Final = 30.0
_PROGRAM: Final = (sys.executable, "-m", "botmeter.readside.hosted_process")


@dataclass(frozen=True, slots=True)
class ReadSide:
    """What a program has of the database: the questions, and which login links were used."""

    queries: Queries
    used_links: UsedLinks


@contextmanager
def read_side(
    order: Order, on_progress: Callable[[Progress], None] = lambda _: None, pseudonyms: Pseudonyms | None = None
) -> Iterator[ReadSide]:
    """Questions to the order's database, its tables made. One of SQLite is projected into while the block lasts.

    `on_progress` is told how far that is, some times a second, in a thread. Into PostgreSQL `botmeter project`
    projects. `pseudonyms` are those of the journal. Raises ConfigurationError for a URL that is none.
    """
    engine = open_database(order.url)
    try:
        migrate(engine)
        found = ReadSide(Queries(engine, order.source.journal, pseudonyms), UsedLinks(engine))
        if engine.dialect.name == "sqlite":
            with _projecting(_Keeper(order, on_progress)):
                yield found
        else:
            yield found
    finally:
        engine.dispose()


@contextmanager
def _projecting(keeper: _Keeper) -> Iterator[None]:
    keeper.start()
    try:
        yield
    finally:
        keeper.stop()


class _Keeper(threading.Thread):
    """Keeps a projection running, whatever ends it."""

    def __init__(self, order: Order, on_progress: Callable[[Progress], None]) -> None:
        super().__init__(name="botmeter-projection", daemon=True)
        self._on_progress = on_progress
        self._order = msgspec.json.encode(order) + b"\n"
        self._turn, self._stop_asked = threading.Lock(), threading.Event()
        self._process = self._begun()

    def run(self) -> None:
        """Begins another process when one has ended; that one has said why."""
        while not self._stop_asked.is_set():
            code = self._followed()
            if not self._stop_asked.is_set():
                log.error("the projection ended with exit code %d; it is begun anew in %.0f s", code, _PAUSE_S)
                self._stop_asked.wait(_PAUSE_S)
            with self._turn:
                self._close_input()
                if not self._stop_asked.is_set():
                    self._process = self._begun()

    def stop(self) -> None:
        """Lets the transaction under way be finished; returns when the process has ended."""
        with self._turn:
            self._stop_asked.set()
            self._close_input()
        self.join(_LAST_TRANSACTION_S)
        if self.is_alive():
            self._process.kill()
            self.join()

    def _followed(self) -> int:
        """Hears what the process tells until it ends; its exit code."""
        assert self._process.stdout is not None
        with self._process.stdout as told:
            for line in told:
                self._on_progress(msgspec.json.decode(line, type=Progress))
        return self._process.wait()

    def _close_input(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def _begun(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - our own program
            _PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended already, and has said why
            process.stdin.write(self._order)
            process.stdin.flush()
        return process
