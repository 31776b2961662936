"""A worker's health for probes and people: whether it is alive, whether it is ready, and the state of each partition.

`/live` fails when no turn completes: restart the worker. `/ready` fails while nothing is metered: no partition is
assigned, all are in restore or all have failed. `/health` shows everything, for people and scripts. It answers 503 only
where `/live` does, so that nothing restarts a worker for a partition that a restart does not fix.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from botmeter.engine.processor import Processor
from botmeter.engine.task import Status, Task

#: In words, what a partition waits for in these states.
_WAITS: Final = {
    Status.CREATED: "just assigned",
    Status.RESTORING: "reads its states back from the local store, the snapshots and the journal",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status code and the body, to be sent as JSON."""

    code: int
    body: dict[str, Any]


class Health:
    """The health of one worker, read from the state that the engine keeps anyway."""

    def __init__(self, processor: Processor, turned_s: Callable[[], float], turn_limit_s: float) -> None:
        """`turned_s` returns for how long no turn has completed; more than `turn_limit_s` is no progress."""
        self._processor, self._turned_s, self._turn_limit_s = processor, turned_s, turn_limit_s

    def live(self) -> Answer:
        """Answers whether the worker makes progress at all."""
        reason = self._stalled()
        return Answer(200, {"status": "live"}) if reason is None else Answer(503, {"status": "stalled", **reason})

    def ready(self) -> Answer:
        """Answers whether the worker meters any partition."""
        status, reason = self._verdict()
        return Answer(200 if self._is_metering and self._stalled() is None else 503, {"status": status, **reason})

    def health(self) -> Answer:
        """Answers with the verdict, and each partition with its state, its age, its lag, reason and remedy."""
        status, reason = self._verdict()
        partitions = {str(number): self._partition(task) for number, task in self._tasks()}
        clocks = self._processor.broker_time.agreement().value
        body = {"status": status, **reason, "clocks": clocks, "partitions": partitions}
        return Answer(503 if status == "stalled" else 200, body)

    def _tasks(self) -> list[tuple[int, Task]]:
        return sorted(dict(self._processor.tasks).items())

    @property
    def _is_metering(self) -> bool:
        return any(task.status is Status.RUNNING for _, task in self._tasks())

    def _stalled(self) -> dict[str, str] | None:
        turned_s = self._turned_s()
        return {"reason": f"no turn has completed for {turned_s:.0f} s"} if turned_s > self._turn_limit_s else None

    def _verdict(self) -> tuple[str, dict[str, str]]:
        """Returns the status in one word, and the reason."""
        if (stalled := self._stalled()) is not None:
            return "stalled", stalled
        statuses = {number: task.status for number, task in self._tasks()}
        failed = [str(number) for number, status in statuses.items() if status is Status.FAILED]
        if failed:
            return "degraded", {"reason": f"partitions that failed: {', '.join(failed)}"}
        if not statuses:
            return "waiting", {"reason": "the group has not assigned a partition"}
        if not self._is_metering:
            return "restoring", {"reason": "no partition is restored yet"}
        return "running", {}

    def _partition(self, task: Task) -> dict[str, Any]:
        fields: dict[str, Any] = {"state": task.status.value, "for_s": round(time.monotonic() - task.since_s, 1)}
        if (lag := self._processor.lags.get(task.partition)) is not None:
            fields |= {"lag_s": round(lag.seconds(time.monotonic()), 1), "not_committed": dict(lag.offsets)}
        if (left := self._processor.restore_left.get(task.partition)) is not None:
            fields["restore_events_left"] = left
        if (waits := _WAITS.get(task.status)) is not None:
            fields["reason"] = waits
        if (failure := task.failure) is not None:
            fields |= {"reason": failure.reason, "remedy": failure.remedy}
        return fields
