"""A task is one partition's unit of work: its inputs, in one order, and the states they decide on.

             restored                 revoked, lost, stopped
CREATED --> RESTORING --> RUNNING ------------------------> CLOSED
   |           ^ |  ^        | |                              ^
   |           | |  +--------+ |  a commit failed: memory is dropped and restored
   |   rescued | |             |                              |
   +---------> FAILED <--------+  it cannot go on ------------+
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum
from itertools import accumulate, zip_longest
from typing import Any, Final

from botmeter.clock import Clock
from botmeter.engine.failure import Failure
from botmeter.engine.running_state import RunningState
from botmeter.errors import InvariantViolated
from botmeter.metering.records import Record


class Status(Enum):
    """Where a task stands; see the drawing above."""

    CREATED = "created"
    RESTORING = "restoring"
    RUNNING = "running"
    FAILED = "failed"
    CLOSED = "closed"


_LEGAL: Final = {
    Status.CREATED: {Status.RESTORING, Status.FAILED, Status.CLOSED},
    Status.RESTORING: {Status.RUNNING, Status.RESTORING, Status.FAILED, Status.CLOSED},
    Status.RUNNING: {Status.RESTORING, Status.FAILED, Status.CLOSED},
    Status.FAILED: {Status.RESTORING, Status.CLOSED},
    Status.CLOSED: set[Status](),
}


@dataclass(slots=True)
class Input:
    """One of the two input partitions of a task: what was read from it and not yet taken."""

    #: The offset after the last record taken.
    taken_to: int
    waiting: deque[Record] = field(default_factory=deque)
    #: The offset at which the client last found no more to read; None while records come.
    end: int | None = None

    @property
    def position(self) -> int:
        """The offset to go on from, which is what is committed.

        At the end that is the end itself, past the control records of transactions: they are deleted in time like all
        records, and an offset below the first that is left is no place to go on from.
        """
        return self.taken_to if self.end is None or self.waiting else max(self.taken_to, self.end)

    @property
    def is_at_end(self) -> bool:
        """Whether everything the broker had was read, as far as the client knows."""
        return self.end is not None

    @property
    def read_to(self) -> int:
        """The offset below which all was read, taken or not."""
        return self.waiting[-1].offset() + 1 if self.waiting else self.position

    def is_read_to(self, end: int) -> bool:
        """Whether all below the offset `end` was read and taken."""
        return not self.waiting and self.end is not None and self.end >= end

    def sizes(self) -> list[int]:
        """Of the values of the records waiting, in bytes."""
        return [len(record.value() or b"") for record in self.waiting]

    def extend(self, records: Iterable[Record]) -> None:
        """More records, at least one, in offset order."""
        if self.end is not None:
            self.taken_to, self.end = self.position, None
        self.waiting.extend(records)

    def head_at(self) -> int:
        """The broker's time of the first record waiting, UTC ms."""
        return self.waiting[0].timestamp()[1]


_CLOCK: Final = Clock()


@dataclass(frozen=True, slots=True)
class Proof:
    """An answer of the cluster: interactions below `chats_below` may be taken once the commands are read to an offset.

    `commands_to`: what the cluster answered; `asked_s`: when it was asked, by the monotonic clock.
    """

    chats_below: int
    commands_to: int
    asked_s: float


Run = list[Record]


class Task:
    """One partition. Its interactions and commands are taken in the order of the broker's timestamps.

    The two inputs arrive on ways of their own, so the next record is known only when both have one waiting, or the one
    that has none is at its end: for the interactions, as the client last heard; for the commands, as a `proof` shows
    (`precedence.py`). That makes a backlog be taken in the order in which it came to be: a purchase before the chats
    that followed it. Of two with the same timestamp the command goes first.
    """

    def __init__(self, partition: int, clock: Clock = _CLOCK) -> None:
        self.partition, self._clock = partition, clock
        self.status = Status.CREATED
        #: Since when it has this status, by a monotonic clock.
        self.since_s = self._clock.monotonic_s()
        #: Why it stands; None unless it failed.
        self.failure: Failure | None = None
        #: How many of the next records may include the one that stopped it: they are taken half by half until one
        #: record is left. 0 while nothing is wrong.
        self.suspects = 0
        self.interactions = Input(0)
        self.commands = Input(0)
        #: Up to when the timer may roll cycles, UTC ms: every record older than that was taken.
        self.timer_at = 0
        #: The last answer about the commands, and the last stable offset that is asked for since.
        self.proof: Proof | None = None
        self.stable: Future[Any] | None = None
        self._free_below = 0
        self._states: RunningState | None = None

    def transition_to(self, status: Status) -> None:
        """Moves on; raises InvariantViolated where the drawing has no arrow."""
        if status not in _LEGAL[self.status]:
            raise InvariantViolated(f"task {self.partition} cannot go from {self.status.value} to {status.value}")
        if status is not self.status:
            self.status, self.since_s = status, self._clock.monotonic_s()

    def run(self, restored: RunningState) -> None:
        """Takes over what was restored and begins; its inputs are read from the restored positions on."""
        self.transition_to(Status.RUNNING)
        self.failure = None
        self._states = restored
        self._read_from(restored.interactions_from, restored.commands_from)

    def restore(self) -> None:
        """Its states are to be restored; forgets everything after the last commit."""
        self.transition_to(Status.RESTORING)
        self._drop()

    def fail(self, failure: Failure) -> None:
        """It cannot go on; forgets everything after the last commit. What was committed before stays."""
        self.failure = failure
        self.transition_to(Status.FAILED)
        self._drop()

    def _drop(self) -> None:
        if self._states is not None:
            self._states.store.close()
        self._forget()

    def close(self) -> None:
        """Ends the task without a commit."""
        self.transition_to(Status.CLOSED)
        if self._states is not None:
            self._states.close()
        self._forget()

    def _forget(self) -> None:
        self._states, self.timer_at = None, 0
        self._read_from(0, 0)

    def _read_from(self, interactions: int, commands: int) -> None:
        self.interactions, self.commands = Input(interactions), Input(commands)
        self.proof, self.stable, self._free_below = None, None, 0

    @property
    def states(self) -> RunningState:
        """The task's states; raises InvariantViolated unless it is running."""
        if self._states is None:
            raise InvariantViolated(f"task {self.partition} is {self.status.value} and has no states")
        return self._states

    @property
    def running(self) -> RunningState | None:
        """The task's states, None unless it is running: for threads that look at it from outside."""
        return self._states

    @property
    def is_idle(self) -> bool:
        """Whether all that the broker had was read and taken, as far as the client knows."""
        return all(i.is_at_end and not i.waiting for i in (self.interactions, self.commands))

    @property
    def oldest_at(self) -> int | None:
        """The broker's time of the first record waiting, UTC ms; None when nothing waits."""
        return min((i.head_at() for i in (self.interactions, self.commands) if i.waiting), default=None)

    @property
    def free_below(self) -> int:
        """Interactions below this offset may be taken while no command waits."""
        if self.proof is not None and self.commands.read_to >= self.proof.commands_to:
            self._free_below, self.proof = max(self._free_below, self.proof.chats_below), None
        return self._free_below

    @property
    def is_held(self) -> bool:
        """Whether an interaction waits for the commands to be read, so far as they are known to reach."""
        interactions = self.interactions.waiting
        return bool(interactions) and not self.commands.waiting and interactions[-1].offset() >= self.free_below

    @property
    def needs_proof(self) -> bool:
        """Whether the cluster has to be asked: interactions are held, and no answer is there to be read up to."""
        return self.is_held and self.proof is None

    def fitting(self, bytes_max: int) -> int:
        """How many records can be taken, whichever they are, until they are so large together; at least one."""
        sizes = zip_longest(self.interactions.sizes(), self.commands.sizes(), fillvalue=0)
        return 1 + sum(1 for together in accumulate(map(sum, sizes)) if together < bytes_max)

    def runs(self, records_max: int) -> Iterator[tuple[Run, Record | None]]:
        """What can be taken now: runs of interactions, each with the command that follows it, if any.

        Takes at most `records_max` records.
        """
        left = records_max
        while left > 0:
            run, command = self._next_run(left), None
            if len(run) < left and self._is_command_next():
                command = self.commands.waiting.popleft()
                self.commands.taken_to = command.offset() + 1
            if not run and command is None:
                return
            left -= len(run) + (command is not None)
            yield run, command

    def _next_run(self, records_max: int) -> Run:
        interactions, commands = self.interactions, self.commands
        waiting = interactions.waiting
        run: Run = []
        if commands.waiting:
            until = commands.head_at()
            while waiting and len(run) < records_max and interactions.head_at() < until:
                run.append(waiting.popleft())
        elif waiting and len(waiting) <= records_max and waiting[-1].offset() < self.free_below:
            run = list(waiting)
            waiting.clear()
        else:
            below = self.free_below
            while waiting and len(run) < records_max and waiting[0].offset() < below:
                run.append(waiting.popleft())
        if run:
            interactions.taken_to = run[-1].offset() + 1
        return run

    def _is_command_next(self) -> bool:
        if not self.commands.waiting:
            return False
        if self.interactions.waiting:
            return self.commands.head_at() <= self.interactions.head_at()
        return self.interactions.is_at_end
