"""One task's share of the current batch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

from botmeter.engine.running_state import RunningState
from botmeter.engine.task import Task
from botmeter.engine.traced import FindTraced, Traced
from botmeter.metering.pipeline import Decided
from botmeter.metering.records import Record


@dataclass(slots=True)
class Share:
    """The records taken from a task's inputs, and the result of deciding them."""

    task: Task
    states: RunningState
    decided: Decided
    #: Closing it completes `decided`.
    batch: ExitStack
    find_traced: FindTraced
    taken: int = 0
    #: The first record of the last run; when one record is taken at a time, the record that failed.
    last: Record | None = None
    traced: list[Traced] = field(default_factory=list)

    @classmethod
    def of(cls, task: Task, find_traced: FindTraced) -> Self:
        """Creates the empty share of a running task."""
        batch = ExitStack()
        return cls(task, task.states, batch.enter_context(task.states.meter.batch()), batch, find_traced)

    @property
    def left(self) -> int:
        """How many more records may be taken: half of the suspects while the failing record is searched."""
        suspects = self.task.suspects
        return max(1, suspects // 2) - self.taken if suspects else 1 << 62

    def bytes_from(self, output: int) -> int:
        """Returns the size of the outputs from this index on."""
        return sum([len(each.value or b"") for each in self.decided.outputs[output:]])

    def take(self, records_max: int) -> None:
        """Takes and decides at most `records_max` records. Raises the error of a record that cannot be decided."""
        meter = self.states.meter
        for run, command in self.task.runs(records_max):
            # Counted first, so that the count includes a record that fails.
            self.taken += len(run) + (command is not None)
            if run:
                self._about_to_decide(run)
                meter.take_interactions(run)
            if command is not None:
                self._about_to_decide([command])
                meter.take_command(command)

    def _about_to_decide(self, records: Sequence[Record]) -> None:
        self.last = records[0]
        self.traced.extend(self.find_traced(records))
