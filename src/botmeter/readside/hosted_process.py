"""The process that projects for another program: `python -m botmeter.readside.hosted_process`.

It takes its order, one line of JSON, from its standard input, and ends when the input does. The kernel ends the input
when the program at the other end dies, whatever it died of: no projection outlives the program that wanted it. How far
it is it tells on its standard output, a line of JSON each time.
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
from botmeter.readside.collector import spare_the_collector
from botmeter.readside.database import open_database
from botmeter.readside.projection import Progress, Projection, Source
from botmeter.telemetry.logs import Form, log_to_stderr

log = logging.getLogger(__name__)

#: Answers come before projecting where both want the same processor.
_NICENESS: Final = 5
_TELL_S: Final = 0.4


@dataclass(frozen=True, slots=True)
class Order:
    """What is projected into which database, and how. It may hold passwords, so it is no argument of a command."""

    url: str = field(repr=False)
    source: Source
    batch_records: int
    hours_days: int
    log_level: str
    log_format: Form


def main() -> None:
    """Projects until the input ends. Exit code 1: it could not go on, and has said why."""
    orders = FileIO(0)
    order = msgspec.json.decode(orders.readline(), type=Order)
    log_to_stderr(order.log_level, order.log_format, "project")
    spare_the_collector()
    os.nice(_NICENESS)
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the program too, which ends the input
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_stop_at_the_end_of, args=(orders, stop), daemon=True).start()
    engine = open_database(order.url)
    try:
        Projection(
            engine,
            order.source,
            batch_records=order.batch_records,
            hours_days=order.hours_days,
            on_progress=_Teller().tell,
        ).run(stop)
    except BotmeterError:
        log.exception("the projection cannot go on")
        sys.exit(1)
    finally:
        engine.dispose()


class _Teller:
    """Tells how far the projection is, a few times a second; it says so once a second at least."""

    def __init__(self) -> None:
        self._told_s = 0.0

    def tell(self, progress: Progress) -> None:
        if time.monotonic() - self._told_s < _TELL_S:
            return
        self._told_s = time.monotonic()
        with suppress(BrokenPipeError):  # nobody listens any more: the input ends too
            os.write(sys.stdout.fileno(), msgspec.json.encode(progress) + b"\n")


def _stop_at_the_end_of(orders: FileIO, stop: threading.Event) -> None:
    orders.readall()
    stop.set()


if __name__ == "__main__":
    main()
