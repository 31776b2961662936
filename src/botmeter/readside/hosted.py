"""The read side inside another program: the queries and, for SQLite, a projection in a child process.

Projecting is bound by the processor. In a thread it would hold the interpreter's lock while requests wait.
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
from botmeter.readside.hosted_process import ProjectionJob
from botmeter.readside.migrations import migrate
from botmeter.readside.projection import Progress
from botmeter.readside.queries import Queries
from botmeter.readside.used_links import UsedLinks

log = logging.getLogger(__name__)

#: A projection that ended is restarted after this.
_PAUSE_S: Final = 5.0
#: How long a transaction under way may take when the program ends. A longer one is killed; the next start repeats it.
_LAST_TRANSACTION_S: Final = 30.0
_PROGRAM: Final = (sys.executable, "-m", "botmeter.readside.hosted_process")


@dataclass(frozen=True, slots=True)
class ReadSide:
    """The parts of the database that a program uses: the queries, and which login links were used."""

    queries: Queries
    used_links: UsedLinks


@contextmanager
def read_side(
    job: ProjectionJob, on_progress: Callable[[Progress], None] = lambda _: None, pseudonyms: Pseudonyms | None = None
) -> Iterator[ReadSide]:
    """Migrates the job's database and opens it for queries. If it is SQLite, projects into it while the block lasts.

    `on_progress` is called with the progress a few times a second, in a thread. PostgreSQL needs a `botmeter project`
    of its own. `pseudonyms` are those of the journal. Raises ConfigurationError for an invalid URL.
    """
    engine = open_database(job.url)
    try:
        migrate(engine)
        opened = ReadSide(Queries(engine, job.source.journal, pseudonyms), UsedLinks(engine))
        if engine.dialect.name == "sqlite":
            with _projecting(_Supervisor(job, on_progress)):
                yield opened
        else:
            yield opened
    finally:
        engine.dispose()


@contextmanager
def _projecting(supervisor: _Supervisor) -> Iterator[None]:
    supervisor.start()
    try:
        yield
    finally:
        supervisor.stop()


class _Supervisor(threading.Thread):
    """Keeps a projection running: restarts the process whenever it ends."""

    def __init__(self, job: ProjectionJob, on_progress: Callable[[Progress], None]) -> None:
        super().__init__(name="botmeter-projection", daemon=True)
        self._on_progress = on_progress
        self._job = msgspec.json.encode(job) + b"\n"
        self._process_lock, self._stop_requested = threading.Lock(), threading.Event()
        self._process = self._start_process()

    def run(self) -> None:
        """Starts another process when one has ended; the ended one has logged why."""
        while not self._stop_requested.is_set():
            code = self._relay_progress()
            if not self._stop_requested.is_set():
                log.error("the projection ended with exit code %d; restarting it in %.0f s", code, _PAUSE_S)
                self._stop_requested.wait(_PAUSE_S)
            with self._process_lock:
                self._close_input()
                if not self._stop_requested.is_set():
                    self._process = self._start_process()

    def stop(self) -> None:
        """Lets the transaction under way finish; returns when the process has ended."""
        with self._process_lock:
            self._stop_requested.set()
            self._close_input()
        self.join(_LAST_TRANSACTION_S)
        if self.is_alive():
            self._process.kill()
            self.join()

    def _relay_progress(self) -> int:
        """Passes the process's reports on until it ends; returns its exit code."""
        assert self._process.stdout is not None
        with self._process.stdout as reports:
            for line in reports:
                self._on_progress(msgspec.json.decode(line, type=Progress))
        return self._process.wait()

    def _close_input(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def _start_process(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - our own program
            _PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended already and has logged why
            process.stdin.write(self._job)
            process.stdin.flush()
        return process
