"""A task is one partition's unit of work: its inputs, merged into one order, and its states.

             restored                 revoked, lost, stopped
CREATED --> RESTORING --> RUNNING ------------------------> CLOSED
   |           ^ |  ^        | |                              ^
   |           | |  +--------+ |  a commit failed: memory is dropped and restored
   |   rescued | |             |                              |
   +---------> FAILED <--------+  it cannot continue ---------+
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
    """The status of a task; see the diagram above."""

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
    """One of the two input partitions of a task, with the records that were read and not yet taken."""

    #: The offset after the last record taken.
    taken_to: int
    waiting: deque[Record] = field(default_factory=deque)
    #: The offset at which the client last found no more to read; None while records come.
    end: int | None = None

    @property
    def position(self) -> int:
        """The offset to continue from, which is the one that is committed.

        At the end of the partition it is the end itself, past the control records of transactions: these expire like
        all records, and a worker cannot continue from an offset below the first one left.
        """
        return self.taken_to if self.end is None or self.waiting else max(self.taken_to, self.end)

    @property
    def is_at_end(self) -> bool:
        """Whether all records of the broker were read, as far as the client knows."""
        return self.end is not None

    @property
    def read_to(self) -> int:
        """The offset below which all records were read, taken or not."""
        return self.waiting[-1].offset() + 1 if self.waiting else self.position

    def is_read_to(self, end: int) -> bool:
        """Whether all records below the offset `end` were read and taken."""
        return not self.waiting and self.end is not None and self.end >= end

    def sizes(self) -> list[int]:
        """Returns the sizes of the waiting records' values, in bytes."""
        return [len(record.value() or b"") for record in self.waiting]

    def extend(self, records: Iterable[Record]) -> None:
        """Appends records, at least one, in offset order."""
        if self.end is not None:
            self.taken_to, self.end = self.position, None
        self.waiting.extend(records)

    def head_at(self) -> int:
        """Returns the broker time of the first waiting record, UTC ms."""
        return self.waiting[0].timestamp()[1]


_CLOCK: Final = Clock()


@dataclass(frozen=True, slots=True)
class Proof:
    """A response of the cluster: chats below `chats_below` may be taken once the commands are read to `commands_to`.

    `asked_s`: when the query was sent, by the monotonic clock.
    """

    chats_below: int
    commands_to: int
    asked_s: float


Run = list[Record]


class Task:
    """One partition. Its interactions and commands are taken in the order of the broker's timestamps.

    The two inputs arrive independently, so the next record is known only when both have one waiting, or the input
    without one is at its end: for the interactions, the end that the client knows; for the commands, as a `proof` shows
    (`precedence.py`). So a backlog is taken in the order in which it was written: a purchase before the chats that
    followed it. Of two records with the same timestamp the command is taken first.
    """

    def __init__(self, partition: int, clock: Clock = _CLOCK) -> None:
        self.partition, self._clock = partition, clock
        self.status = Status.CREATED
        #: When it got this status, by a monotonic clock.
        self.since_s = self._clock.monotonic_s()
        #: Why it failed; None unless it did.
        self.failure: Failure | None = None
        #: How many of the next records may include the one that failed: half of them are taken at a time until one
        #: record is left. 0 when no record has failed.
        self.suspects = 0
        self.interactions = Input(0)
        self.commands = Input(0)
        #: The time up to which the timer may roll cycles, UTC ms: every older record was taken.
        self.timer_at = 0
        #: The last response about the commands, and the query of the last stable offset that followed it.
        self.proof: Proof | None = None
        self.stable: Future[Any] | None = None
        self._free_below = 0
        self._states: RunningState | None = None

    def transition_to(self, status: Status) -> None:
        """Changes the status; raises InvariantViolated for a transition that the diagram does not have."""
        if status not in _LEGAL[self.status]:
            raise InvariantViolated(f"task {self.partition} cannot go from {self.status.value} to {status.value}")
        if status is not self.status:
            self.status, self.since_s = status, self._clock.monotonic_s()

    def run(self, restored: RunningState) -> None:
        """Starts with the restored states; its inputs are read from the restored positions on."""
        self.transition_to(Status.RUNNING)
        self.failure = None
        self._states = restored
        self._read_from(restored.interactions_from, restored.commands_from)

    def restore(self) -> None:
        """Marks the task as restoring; drops everything after the last commit, which its store has."""
        self.transition_to(Status.RESTORING)
        self._close()

    def fail(self, failure: Failure) -> None:
        """Marks the task as failed; drops everything after the last commit."""
        self.failure = failure
        self.transition_to(Status.FAILED)
        if self._states is not None:
            self._states.store.close()  # what memory says of snapshots may be as wrong as what failed
        self._forget()

    def close(self) -> None:
        """Ends the task without a commit."""
        self.transition_to(Status.CLOSED)
        self._close()

    def _close(self) -> None:
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
        """The task's states, None unless it is running; for other threads."""
        return self._states

    @property
    def is_idle(self) -> bool:
        """Whether all records of the broker were read and taken, as far as the client knows."""
        return all(i.is_at_end and not i.waiting for i in (self.interactions, self.commands))

    @property
    def oldest_at(self) -> int | None:
        """The broker time of the first waiting record, UTC ms; None when none waits."""
        return min((i.head_at() for i in (self.interactions, self.commands) if i.waiting), default=None)

    @property
    def free_below(self) -> int:
        """Interactions below this offset may be taken while no command waits."""
        if self.proof is not None and self.commands.read_to >= self.proof.commands_to:
            self._free_below, self.proof = max(self._free_below, self.proof.chats_below), None
        return self._free_below

    @property
    def is_held(self) -> bool:
        """Whether an interaction waits until the commands are read to their end."""
        interactions = self.interactions.waiting
        return bool(interactions) and not self.commands.waiting and interactions[-1].offset() >= self.free_below

    @property
    def needs_proof(self) -> bool:
        """Whether the cluster has to be queried: interactions are held, and there is no proof to read up to."""
        return self.is_held and self.proof is None

    def fitting(self, bytes_max: int) -> int:
        """Returns how many of any waiting records fit into `bytes_max` together; at least one."""
        sizes = zip_longest(self.interactions.sizes(), self.commands.sizes(), fillvalue=0)
        return 1 + sum(1 for together in accumulate(map(sum, sizes)) if together < bytes_max)

    def runs(self, records_max: int) -> Iterator[tuple[Run, Record | None]]:
        """Takes the records that can be taken now: yields runs of interactions, each with the command after it, if any.

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
