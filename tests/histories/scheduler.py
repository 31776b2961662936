"""Which of a worker's threads runs next, and when something fails: drawn from the seed.

Every thread of a simulated worker is a greenlet. It runs until it waits: for the broker, another thread, a moment.
So nothing happens between two such points, and the same seed gives the same order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Final

from greenlet import getcurrent, greenlet

from memory_kafka.world import Fate, Killed, Process, World

from .plan import Plan

#: More than any history takes; one that comes here goes round in circles.
_STEPS_MAX: Final = 200_000
_AT_ONCE_SHARE: Final = 0.9


class Stuck(AssertionError):  # noqa: N818 - what a history is
    """Nothing happens any more, or no end comes."""


class _Fiber:
    """One thread of a process."""

    def __init__(self, process: Process, name: str, run: Callable[[], None], hub: greenlet) -> None:
        self.process, self.name = process, name
        self.greenlet = greenlet(run, hub)
        self.is_so: Callable[[], bool] | None = None
        self.until_ms = 0


class Scheduler(World):
    """One history's world."""

    def __init__(self, plan: Plan, dice: Random) -> None:
        super().__init__()
        self.plan, self.dice = plan, dice
        self._fibers: list[_Fiber] = []
        self._by_greenlet: dict[greenlet, _Fiber] = {}
        self._next: _Fiber | None = None
        self._hub = getcurrent()
        self.steps = 0
        #: How often each point was come by, and died at.
        self.passed: Counter[str] = Counter()
        self.crashes: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        #: Told of what happens, when somebody wants to read it.
        self.tell: Callable[[str], None] | None = None
        self.die: Callable[[Process, str], None] = lambda process, _: setattr(process, "is_dead", True)
        self.is_calm = False
        self._slow_until: dict[tuple[str, str, int], int] = {}

    # --- Threads ---

    def spawn(self, process: Process, name: str, run: Callable[[], None]) -> None:
        """A new thread of a process; an error in it is an error of the history.

        Mostly it runs at once, as far as it gets: what there is to do often takes no time at all.
        """

        def run_until_killed() -> None:
            try:
                run()
            except Killed:
                return

        fiber = _Fiber(process, name, run_until_killed, self._hub)
        self._fibers.append(fiber)
        self._by_greenlet[fiber.greenlet] = fiber
        if self.dice.random() < _AT_ONCE_SHARE:
            self._next = fiber
            self.give_way(process)

    @property
    def current(self) -> Process | None:
        """The process whose thread runs."""
        fiber = self._by_greenlet.get(getcurrent())
        return None if fiber is None else fiber.process

    @property
    def thread(self) -> str:
        """The name of the thread that runs."""
        fiber = self._by_greenlet.get(getcurrent())
        return "" if fiber is None else fiber.name

    def end(self, process: Process) -> None:
        """The process is killed; not by a thread of its own."""
        process.is_dead = True
        self._end(process)

    def has_ended(self, process: Process) -> bool:
        """Whether no thread of it is left."""
        return all(fiber.process is not process for fiber in self._fibers)

    def run(self, is_over: Callable[[], bool], within_ms: int) -> None:
        """Lets everything go on until it is over. Raises Stuck when that does not come."""
        deadline = self.now_ms + within_ms
        while not is_over():
            self.steps += 1
            if self.steps > _STEPS_MAX or self.now_ms > deadline:
                raise Stuck(f"not over after {self.steps} steps, {within_ms / 1000:.0f} s of the clock")
            if self._next is not None:
                fiber, self._next = self._next, None
                self._resume(fiber)
                continue
            ready = [fiber for fiber in self._fibers if self._is_ready(fiber)]
            if ready:
                self._resume(self.dice.choice(ready))
                if self.dice.random() < 0.2:
                    self._pass_time(self.now_ms + 1)
            else:
                self._pass_time(self._next_moment(deadline))

    def _is_ready(self, fiber: _Fiber) -> bool:
        if fiber.process.is_frozen:
            return False
        return fiber.is_so is None or fiber.until_ms <= self.now_ms or fiber.is_so()

    def _resume(self, fiber: _Fiber) -> None:
        fiber.is_so = None
        fiber.greenlet.switch()
        if fiber.greenlet.dead:
            self._forget(fiber)
        if fiber.process.is_dead:
            self._end(fiber.process)

    def _end(self, process: Process) -> None:
        """Nothing of a dead process runs on; what it holds open is let go."""
        for fiber in [each for each in self._fibers if each.process is process]:
            if fiber.greenlet:  # it has begun
                fiber.greenlet.throw(Killed(process.name))
            self._forget(fiber)

    def _forget(self, fiber: _Fiber) -> None:
        if self._next is fiber:
            self._next = None
        if fiber in self._fibers:
            self._fibers.remove(fiber)
            del self._by_greenlet[fiber.greenlet]

    def _next_moment(self, deadline: int) -> int:
        waiting = [fiber.until_ms for fiber in self._fibers if not fiber.process.is_frozen]
        return min([*waiting, *(at for at, _, _ in self._put_off[:1]), deadline + 1])

    def _pass_time(self, now_ms: int) -> None:
        while self._put_off and self._put_off[0][0] <= now_ms:
            self.happen_next()
        self.now_ms = max(self.now_ms, now_ms)

    def wait_until(self, is_so: Callable[[], bool], timeout_ms: float, process: Process) -> bool:
        fiber = self._by_greenlet.get(getcurrent())
        if fiber is None:  # nobody of the cluster, such as the witness
            return super().wait_until(is_so, timeout_ms, process)
        process.require_alive()
        if fiber.process.is_dead:
            raise Killed(fiber.process.name)
        fiber.is_so, fiber.until_ms = is_so, self.now_ms + max(0, int(timeout_ms))
        self._hub.switch()
        process.require_alive()
        return is_so()

    def give_way(self, process: Process) -> None:
        """Whoever else is ready may run first."""
        if getcurrent() in self._by_greenlet:
            self.wait_until(lambda: True, 0, process)

    # --- What happens to whom ---

    def passes(self, process: Process, point: str) -> None:
        process.require_alive()
        if getcurrent() not in self._by_greenlet:
            return
        self.passed[point] += 1
        if self.tell:
            self.tell(f"{process.name}: {point}")
        if not self.is_calm and self.plan.dies_at(point, self.passed[point]):
            self.crashes[point] += 1
            self.die(process, point)
            raise Killed(process.name)
        if self.dice.random() < self.plan.switch_share:
            self.give_way(process)

    def fate(self, process: Process, request: str) -> Fate:
        if self.is_calm:
            return Fate.ARRIVES
        if request in ("commit", "abort", "send offsets") and self.dice.random() < self.plan.late_end_share:
            fate = self.dice.choice([Fate.LATE, Fate.REPEATED])
        elif self.dice.random() < self.plan.fault_share:
            hangs = [Fate.HANGS] if request == "send offsets" else []
            fate = self.dice.choice([Fate.LOST, Fate.UNANSWERED, *hangs])
        else:
            return Fate.ARRIVES
        self.faults[f"{request} {fate.value}"] += 1
        if self.tell:
            self.tell(f"{process.name}: {request} is {fate.value}")
        return fate

    def delay_ms(self, what: str) -> int:
        if what == "held":
            return self.dice.choice([0, 0, 1, 5])
        if not self.is_calm and self.dice.random() < self.plan.slow_share:
            self.faults[f"slow {what}"] += 1
            # A marker may take longer than a session, so that the next owner comes before it.
            return self.dice.randint(1, 12_000 if what == "marker" else 3_000)
        return self.dice.randint(0, 5 if what != "heartbeat" else 60)

    def is_slow(self, process: Process, topic: str, partition: int) -> bool:
        return self._slow_until.get((process.name, topic, partition), 0) > self.now_ms

    def fetches(self, process: Process, topic: str, partition: int) -> bool:
        key = process.name, topic, partition
        if not self.is_calm and self.dice.random() < self.plan.slow_fetch_share:
            self._slow_until[key] = self.now_ms + self.dice.randint(1, 2_000)
            self.faults["slow fetch"] += 1
            return False
        return True

    def fetch_max(self) -> int:
        return self.dice.choice((1, 3, 1_000))
