"""Ctrl-C as something to look at between two steps, instead of an exception in the middle of one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Whether Ctrl-C was pressed."""

    def __init__(self) -> None:
        #: A plain fact, without a lock: a signal may come while the lock is held.
        self.has_come = False


@contextmanager
def watched_for_interruption() -> Iterator[Interruption]:
    """While the block runs, Ctrl-C is noted, for a loop to end at its next turn. A second one interrupts at once.

    The Kafka client's calls do not stand an exception from a signal handler: some end with a SystemError instead.
    """
    interruption = Interruption()
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        del number, frame
        interruption.has_come = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, before)
