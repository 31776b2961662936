"""The worker's metrics, in the text format of Prometheus; read from plain numbers that the engine keeps anyway."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from botmeter.domain.metering import Outcome
from botmeter.engine.processor import Processor
from botmeter.engine.task import Status, Task
from botmeter.engine.transaction import Batch
from botmeter.errors import InvariantViolated

_DEAD: Final = ("in_future", "too_late", "unknown_account", "account_closed")
_REASONS: Final = ("malformed", "invalid", "too_large", "wrong_key", "wrong_partition", *_DEAD)
_OUTCOMES: Final = tuple(outcome for outcome in get_args(Outcome) if outcome not in _DEAD)
#: From an idle worker's few milliseconds to a backlog's minutes.
_STAGE_BUCKETS_S: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300)


class Metrics(Collector):
    """What the worker has done since its start."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self.failed_commits = 0
        self._transactions = 0
        self._stages = Histogram(
            "botmeter_stage_seconds",
            "Age of the oldest record of a batch, by the broker's timestamp, when the batch came to a stage: polled, "
            "decided, committed (which is when readers may see it).",
            ["stage"],
            registry=self._registry,
            buckets=_STAGE_BUCKETS_S,
        )

    def committed(self, batch: Batch, is_committed: bool) -> None:  # noqa: FBT001 - the answer of the commit
        """A commit came back just now; True when there was a transaction."""
        self._transactions += is_committed
        if is_committed and (passage := batch.passage) is not None:
            moments = {
                "polled": passage.polled_at,
                "decided": passage.decided_at,
                "committed": time.time_ns() // 1_000_000,
            }
            for stage, at in moments.items():
                self._stages.labels(stage).observe(max(0, at - passage.appended_at) / 1000)

    def render(self) -> bytes:
        """All metrics as a page."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """For Prometheus' registry."""
        counts = Counter(self._processor.counts)
        interactions = CounterMetricFamily(
            "botmeter_interactions", "Interactions committed, by what became of them.", labels=["outcome"]
        )
        for outcome in _OUTCOMES:
            interactions.add_metric([outcome], counts[outcome])
        yield interactions
        letters = CounterMetricFamily("botmeter_dead_letters", "Records dead-lettered, by reason.", labels=["reason"])
        for reason in _REASONS:
            letters.add_metric([reason], counts[reason])
        yield letters
        yield CounterMetricFamily("botmeter_commands", "Commands answered.", value=counts["command"])
        yield CounterMetricFamily("botmeter_transactions", "Transactions committed.", value=self._transactions)
        yield CounterMetricFamily("botmeter_failed_commits", "Commits that failed.", value=self.failed_commits)
        yield from self._progress()
        left = GaugeMetricFamily(
            "botmeter_restore_events_left",
            "Events of the journal that a restore under way has still to read, by partition.",
            labels=["partition"],
        )
        for number, events in dict(self._processor.restore_left).items():
            left.add_metric([str(number)], events)
        yield left
        tasks = GaugeMetricFamily("botmeter_tasks", "Partitions of this worker, by status.", labels=["status"])
        statuses = Counter(task.status for task in list(self._processor.tasks.values()))
        for status in Status:
            tasks.add_metric([status.value], statuses[status])
        yield tasks

    def _progress(self) -> Iterator[Metric]:
        """How far each running partition is, and how far behind."""
        taken = GaugeMetricFamily(
            "botmeter_taken_timestamp_seconds",
            "Broker's time of the last record taken, by partition; missing until one was taken since the restore. "
            "It stands still without traffic: for the lag see botmeter_lag_seconds.",
            labels=["partition"],
        )
        lag = GaugeMetricFamily(
            "botmeter_lag_seconds",
            "Age of the next record to be taken, by partition; 0 when all was taken that the broker has told of. "
            "Missing during a restore, and after it until anything was read.",
            labels=["partition"],
        )
        for number, task in list(self._processor.tasks.items()):
            try:
                taken_ms = task.states.meter.state.stream_time
            except InvariantViolated:  # it is not running, or ceases to at this moment: another thread sees to that
                continue
            if taken_ms:
                taken.add_metric([str(number)], taken_ms / 1000)
            if (behind_s := _behind_s(task, taken_ms)) is not None:
                lag.add_metric([str(number)], behind_s)
        yield taken
        yield lag


def _behind_s(task: Task, taken_ms: int) -> float | None:
    """The lag in seconds; None while it is not known. `taken_ms`: time of the last record taken, UTC ms, 0 if none."""
    heads = [input_.head_at() for input_ in (task.interactions, task.commands) if input_.waiting]
    if not heads and task.is_idle:
        return 0.0
    # Without a record waiting, the next one is as old as the last one taken, or younger.
    next_ms = min(heads, default=taken_ms)
    return max(0.0, time.time() - next_ms / 1000) if next_ms else None
