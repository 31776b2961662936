"""Ctrl-C as a flag that is checked between two steps, instead of an exception in the middle of one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Whether Ctrl-C was pressed."""

    def __init__(self) -> None:
        #: Without a lock: a signal may arrive while the lock is held.
        self.has_come = False


@contextmanager
def watched_for_interruption() -> Iterator[Interruption]:
    """While the block runs, Ctrl-C only sets the flag, so that a loop can end. A second Ctrl-C interrupts at once.

    The Kafka client's calls do not support an exception from a signal handler: some raise a SystemError instead.
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
