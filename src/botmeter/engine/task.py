"""A task is one partition's unit of work: its inputs, in one order, and the states they decide on.

             restored                 revoked, lost, stopped
CREATED --> RESTORING --> RUNNING ------------------------> CLOSED
               ^             |
               +-------------+  a commit failed: memory is dropped and restored
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from botmeter.engine.pipeline import Meter
from botmeter.engine.records import Record
from botmeter.engine.snapshots import SnapshotSchedule
from botmeter.engine.store import Store
from botmeter.errors import InvariantViolated


class Status(Enum):
    """Where a task stands; see the drawing above."""

    CREATED = "created"
    RESTORING = "restoring"
    RUNNING = "running"
    CLOSED = "closed"


_LEGAL: Final = {
    Status.CREATED: {Status.RESTORING, Status.CLOSED},
    Status.RESTORING: {Status.RUNNING, Status.RESTORING, Status.CLOSED},
    Status.RUNNING: {Status.RESTORING, Status.CLOSED},
    Status.CLOSED: set[Status](),
}


@dataclass(slots=True)
class Restored:
    """The states of a running task, as a restore made them and the commits since have kept them."""

    meter: Meter
    store: Store
    snapshots: SnapshotSchedule
    #: The journal's offset after the last record the store reflects.
    journal_offset: int
    #: Kafka's id of the journal topic: a topic made anew under the same name has another.
    journal_topic_id: str
    #: The offsets from which the two inputs are to be read on.
    interactions_from: int
    commands_from: int


@dataclass(slots=True)
class Input:
    """One of the two input partitions of a task: what was read from it and not yet taken."""

    #: The offset after the last record taken: what is committed.
    position: int
    waiting: deque[Record] = field(default_factory=deque)
    #: The offset at which the client last found no more to read; None while records come.
    end: int | None = None

    @property
    def is_at_end(self) -> bool:
        """Whether everything the broker had was read, as far as the client knows."""
        return self.end is not None

    def is_read_to(self, end: int) -> bool:
        """Whether all below the offset `end` was read and taken."""
        return not self.waiting and self.end is not None and self.end >= end

    def add(self, record: Record) -> None:
        """One more record, in offset order."""
        self.waiting.append(record)
        self.end = None

    def head_at(self) -> int:
        """The broker's time of the first record waiting, UTC ms."""
        return self.waiting[0].timestamp()[1]


Run = list[Record]


class Task:
    """One partition. Its interactions and commands are taken in the order of the broker's timestamps.

    The two inputs arrive on ways of their own, so the next record is known only when both have one waiting, or the one
    that has none is at its end. That makes a backlog be taken in the order in which it came to be: a purchase before
    the chats that followed it. Of two with the same timestamp the command goes first.
    """

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.status = Status.CREATED
        self.interactions = Input(0)
        self.commands = Input(0)
        #: Up to when the timer may roll cycles, UTC ms: every record older than that was taken.
        self.timer_at = 0
        self._states: Restored | None = None

    def transition_to(self, status: Status) -> None:
        """Moves on; raises InvariantViolated where the drawing has no arrow."""
        if status not in _LEGAL[self.status]:
            raise InvariantViolated(f"task {self.partition} cannot go from {self.status.value} to {status.value}")
        self.status = status

    def run(self, restored: Restored) -> None:
        """Takes over what was restored and begins; its inputs are read from the restored positions on."""
        self.transition_to(Status.RUNNING)
        self._states = restored
        self.interactions, self.commands = Input(restored.interactions_from), Input(restored.commands_from)
        self.timer_at = 0

    def restore(self) -> None:
        """Its states are to be restored; forgets everything after the last commit."""
        self.transition_to(Status.RESTORING)
        self._release()

    def close(self) -> None:
        """Ends the task without a commit."""
        self.transition_to(Status.CLOSED)
        self._release()

    def _release(self) -> None:
        if self._states is not None:
            self._states.store.close()
        self._states = None

    @property
    def states(self) -> Restored:
        """The task's states; raises InvariantViolated unless it is running."""
        if self._states is None:
            raise InvariantViolated(f"task {self.partition} is {self.status.value} and has no states")
        return self._states

    @property
    def is_idle(self) -> bool:
        """Whether all that the broker had was read and taken, as far as the client knows."""
        return all(i.is_at_end and not i.waiting for i in (self.interactions, self.commands))

    def runs(self) -> Iterator[tuple[Run, Record | None]]:
        """What can be taken now: runs of interactions, each with the command that follows it, if any."""
        while True:
            run, command = self._next_run(), None
            if self._is_command_next():
                command = self.commands.waiting.popleft()
                self.commands.position = command.offset() + 1
            if not run and command is None:
                return
            yield run, command

    def _next_run(self) -> Run:
        interactions, commands = self.interactions, self.commands
        waiting = interactions.waiting
        if commands.waiting:
            until = commands.head_at()
            run: Run = []
            while waiting and interactions.head_at() < until:
                run.append(waiting.popleft())
        elif commands.is_at_end:
            run = list(waiting)
            waiting.clear()
        else:
            return []
        if run:
            interactions.position = run[-1].offset() + 1
        return run

    def _is_command_next(self) -> bool:
        if not self.commands.waiting:
            return False
        if self.interactions.waiting:
            return self.commands.head_at() <= self.interactions.head_at()
        return self.interactions.is_at_end
