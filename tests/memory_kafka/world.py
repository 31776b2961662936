"""Time, processes and the network of a simulated cluster; a simulation overrides what happens to whom and when."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum
from heapq import heappop, heappush
from typing import Final, TypeVar

T = TypeVar("T")
#: 2026-11-25T00:00:00Z, UTC ms.
BEGINNING_MS: Final = 1_795_564_800_000
#: How long the network takes where nothing is the matter.
_USUAL_DELAY_MS: Final = 1


class Killed(BaseException):
    """The process ended here, by kill -9: nothing of it runs any more, no `except` and no `finally` that matters."""


class Fate(Enum):
    """What becomes of a request."""

    #: It arrives, and so does its answer.
    ARRIVES = "arrives"
    #: It is lost; the client sees no answer in time.
    LOST = "lost"
    #: It arrives; its answer does not.
    UNANSWERED = "unanswered"
    #: It arrives long after the client has given up waiting.
    LATE = "late"
    #: Late as well, but its connection is lost at once, and the client asks again by itself.
    REPEATED = "repeated"
    #: It is lost, and the client's call never comes back, whatever its timeout.
    HANGS = "hangs"


class Process:
    """An operating system's process that clients live in."""

    def __init__(self, name: str, skew_ms: int = 0) -> None:
        self.name = name
        #: How far its clock is ahead of the broker's.
        self.skew_ms = skew_ms
        self.is_dead = False
        #: Stopped as by SIGSTOP: it does nothing, not even heartbeats.
        self.is_frozen = False

    @property
    def is_beating(self) -> bool:
        """Whether the group hears its heartbeats."""
        return not (self.is_dead or self.is_frozen)

    def require_alive(self) -> None:
        """Raises Killed in whatever of a dead process still runs."""
        if self.is_dead:
            raise Killed(self.name)


class World:
    """One caller at a time; while it waits, time passes and what was put off happens."""

    def __init__(self) -> None:
        self.now_ms = BEGINNING_MS
        self._put_off: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    # --- Time ---

    def after(self, delay_ms: int, call: Callable[[], None]) -> None:
        """Calls it so much later."""
        heappush(self._put_off, (self.now_ms + delay_ms, next(self._numbers), call))

    def wait_until(self, is_so: Callable[[], bool], timeout_ms: float, process: Process) -> bool:
        """Lets time pass until it is so or the time is up; whether it is so."""
        deadline = self.now_ms + int(timeout_ms)
        while not is_so():
            if not self._put_off or self._put_off[0][0] > deadline:
                self.now_ms = max(self.now_ms, deadline)
                process.require_alive()
                return is_so()
            self.happen_next()
        return True

    def happen_next(self) -> None:
        """Moves on to what was put off for the earliest moment."""
        at, _, call = heappop(self._put_off)
        self.now_ms = max(self.now_ms, at)
        call()

    # --- What a simulation decides ---

    def passes(self, process: Process, point: str) -> None:
        """A process comes by a named point. Raises Killed where it dies there."""
        del point
        process.require_alive()

    def fate(self, process: Process, request: str) -> Fate:
        """What becomes of a request that this process sends."""
        del process, request
        return Fate.ARRIVES

    def delay_ms(self, what: str) -> int:
        """How long something between brokers, or between a broker and a client, takes."""
        del what
        return _USUAL_DELAY_MS

    def is_slow(self, process: Process, topic: str, partition: int) -> bool:
        """Whether this client has no answers about a partition for the moment."""
        del process, topic, partition
        return False

    def fetches(self, process: Process, topic: str, partition: int) -> bool:
        """Whether the client's next look at a partition gets an answer now."""
        del process, topic, partition
        return True

    def fetch_max(self) -> int:
        """How many records one fetch brings at most."""
        return 1_000


class Awaited(Future[T]):
    """A future that somebody of the simulated world completes: whoever waits for it lets its time pass."""

    def __init__(self, world: World, process: Process) -> None:
        super().__init__()
        self._world, self._process = world, process

    def result(self, timeout: float | None = None) -> T:
        self._await(timeout)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._await(timeout)
        return super().exception(0)

    def _await(self, timeout: float | None) -> None:
        self._world.wait_until(self.done, FOR_EVER_MS if timeout is None else timeout * 1000, self._process)


#: Longer than any simulation.
FOR_EVER_MS: Final = 1 << 50
