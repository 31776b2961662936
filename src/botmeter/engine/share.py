"""One task's share of the batch that is being taken."""

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
    """What was taken of a task's inputs, and what it came to."""

    task: Task
    states: RunningState
    decided: Decided
    #: Completes what was decided.
    batch: ExitStack
    find_traced: FindTraced
    taken: int = 0
    #: The first of the records that were tried last.
    last: Record | None = None
    traced: list[Traced] = field(default_factory=list)

    @classmethod
    def of(cls, task: Task, find_traced: FindTraced) -> Self:
        """The share of a running task, still empty."""
        batch = ExitStack()
        return cls(task, task.states, batch.enter_context(task.states.meter.batch()), batch, find_traced)

    @property
    def left(self) -> int:
        """How many more records may be taken: half of those among which one is looked for that cannot be."""
        suspects = self.task.suspects
        return max(1, suspects // 2) - self.taken if suspects else 1 << 62

    def bytes_from(self, output: int) -> int:
        """How large the outputs are, from this one on."""
        return sum([len(each.value or b"") for each in self.decided.outputs[output:]])

    def take(self, records_max: int) -> None:
        """Decides what can be taken now, up to so many records. Raises what one of them makes impossible."""
        meter = self.states.meter
        for run, command in self.task.runs(records_max):
            # Counted first, so that one that cannot be taken is among them.
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
