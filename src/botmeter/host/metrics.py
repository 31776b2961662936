"""The worker's metrics, in the text format of Prometheus; read from plain numbers that the engine keeps anyway."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from botmeter.domain.metering import Outcome
from botmeter.engine.processor import Processor
from botmeter.engine.task import Status

_DEAD: Final = ("in_future", "too_late", "unknown_account", "account_closed")
_REASONS: Final = ("malformed", "invalid", "too_large", "wrong_key", "wrong_partition", *_DEAD)
_OUTCOMES: Final = tuple(outcome for outcome in get_args(Outcome) if outcome not in _DEAD)


class Metrics(Collector):
    """What the worker has done since its start."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self.failed_commits = 0
        self._transactions = 0

    def committed(self, is_committed: bool) -> None:  # noqa: FBT001 - the answer of the commit
        """A commit came back; True when there was a transaction."""
        self._transactions += is_committed

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
        taken = GaugeMetricFamily(
            "botmeter_taken_timestamp_seconds",
            "Broker's time of the last record taken, by partition; its distance from now is the lag.",
            labels=["partition"],
        )
        for number, task in list(self._processor.tasks.items()):
            if task.status is Status.RUNNING:
                taken.add_metric([str(number)], task.states.meter.state.stream_time / 1000)
        yield taken
        tasks = GaugeMetricFamily("botmeter_tasks", "Partitions of this worker, by status.", labels=["status"])
        statuses = Counter(task.status for task in list(self._processor.tasks.values()))
        for status in Status:
            tasks.add_metric([status.value], statuses[status])
        yield tasks
