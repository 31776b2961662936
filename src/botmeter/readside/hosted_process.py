"""The process that projects for another program: `python -m botmeter.readside.hosted_process`.

It reads its job, one line of JSON, from its standard input, and ends when the input does. The kernel closes the input
when the parent program dies, from whatever cause: no projection outlives its parent. It reports its progress on its
standard output, as lines of JSON.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from io import FileIO
from typing import Final

import msgspec

from botmeter.errors import BotmeterError
from botmeter.readside.collector import raise_gc_thresholds
from botmeter.readside.database import open_database
from botmeter.readside.projection import Progress, Projection, Source
from botmeter.telemetry.logs import Form, log_to_stderr

log = logging.getLogger(__name__)

#: The parent's answers take precedence over projecting where both compete for one processor.
_NICENESS: Final = 5
#: At least this long between two reports; the projection itself reports every second at least.
_REPORT_INTERVAL_S: Final = 0.4


@dataclass(frozen=True, slots=True)
class ProjectionJob:
    """What is projected into which database, and how. It may hold passwords, so it is no command-line argument."""

    url: str = field(repr=False)
    source: Source
    batch_records: int
    hours_days: int
    log_level: str
    log_format: Form


def main() -> None:
    """Projects until the input ends. Exit code 1: the projection failed and has logged why."""
    parent = FileIO(0)
    job = msgspec.json.decode(parent.readline(), type=ProjectionJob)
    log_to_stderr(job.log_level, job.log_format, "project")
    raise_gc_thresholds()
    os.nice(_NICENESS)
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which closes the input
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_stop_at_end_of, args=(parent, stop), daemon=True).start()
    engine = open_database(job.url)
    try:
        Projection(
            engine,
            job.source,
            batch_records=job.batch_records,
            hours_days=job.hours_days,
            on_progress=_ProgressReporter().report,
        ).run(stop)
    except BotmeterError:
        log.exception("the projection has failed")
        sys.exit(1)
    finally:
        engine.dispose()


class _ProgressReporter:
    """Reports the projection's progress to the parent, a few times a second."""

    def __init__(self) -> None:
        self._reported_s = 0.0

    def report(self, progress: Progress) -> None:
        if time.monotonic() - self._reported_s < _REPORT_INTERVAL_S:
            return
        self._reported_s = time.monotonic()
        with suppress(BrokenPipeError):  # the parent has gone, so the input ends too
            os.write(sys.stdout.fileno(), msgspec.json.encode(progress) + b"\n")


def _stop_at_end_of(parent: FileIO, stop: threading.Event) -> None:
    parent.readall()
    stop.set()


if __name__ == "__main__":
    main()
