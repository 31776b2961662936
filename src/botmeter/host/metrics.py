"""The worker's metrics, in the text format of Prometheus, read from plain numbers that the engine keeps anyway."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Final, get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from botmeter.domain.metering import Outcome
from botmeter.engine.batch import Commit
from botmeter.engine.broker_time import Agreement
from botmeter.engine.processor import Processor
from botmeter.engine.store_rocksdb import RocksDbStore
from botmeter.engine.task import Status
from botmeter.metering.dead_letters import REASONS, REFUSED
from botmeter.telemetry import worker
from botmeter.telemetry.process import register_process

_OUTCOMES: Final = tuple(outcome for outcome in get_args(Outcome) if outcome not in REFUSED)

#: The metric for each figure of a store.
_STORE: Final = {
    "cur-size-all-mem-tables": worker.MEMTABLES,
    "estimate-table-readers-mem": worker.INDEXES,
    "total-sst-files-size": worker.DISK,
    "estimate-live-data-size": worker.LIVE,
    "estimate-pending-compaction-bytes": worker.COMPACTION_PENDING,
    "num-running-compactions": worker.COMPACTIONS,
}


class Metrics(Collector):
    """Counts the worker's work since its start, and collects all its metrics."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self._registry = CollectorRegistry()
        self._registry.register(self)
        register_process(self._registry)
        self.failed_commits = 0
        self._transactions = 0
        self._last_commit_at: float | None = None
        self._stages = worker.STAGE.histogram(self._registry)
        self._batches = worker.BATCH_RECORDS.histogram(self._registry)
        self._commits = worker.COMMIT.histogram(self._registry)

    def committed(self, commit: Commit) -> None:
        """Counts a commit that came back."""
        self._transactions += commit.is_transaction
        self._last_commit_at = commit.ended_at / 1000
        if not commit.is_transaction:
            return
        self._commits.observe(commit.took_s)
        self._batches.observe(sum(part.decided.counts.total() for part in commit.batch.parts))
        if (passage := commit.batch.passage) is not None:
            moments = {"polled": passage.polled_at, "decided": passage.decided_at, "committed": commit.ended_at}
            for stage, at in moments.items():
                self._stages.labels(stage).observe(max(0, at - passage.appended_at) / 1000)

    def render(self) -> bytes:
        """Renders all metrics as a page."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics that are read from the engine; called by Prometheus' registry."""
        counts = Counter(self._processor.counts)
        interactions, letters = worker.INTERACTIONS.family(), worker.DEAD_LETTERS.family()
        for outcome in _OUTCOMES:
            interactions.add_metric([outcome], counts[outcome])
        for reason in REASONS:
            letters.add_metric([reason], counts[reason])
        yield interactions
        yield letters
        yield worker.COMMANDS.family(counts["command"])
        yield worker.TRANSACTIONS.family(self._transactions)
        yield worker.FAILED_COMMITS.family(self.failed_commits)
        yield worker.OPEN_TRANSACTIONS_PASSED.family(self._processor.open_transactions_passed)
        if self._last_commit_at is not None:
            yield worker.LAST_COMMIT.family(self._last_commit_at)
        yield from self._clocks()
        yield from self._progress()
        yield from self._stores()
        yield from self._states()

    def _states(self) -> Iterator[Metric]:
        """Yields the state of each partition, and since when it is in it."""
        left, tasks = worker.RESTORE_LEFT.family(), worker.TASKS.family()
        states, ages, ready = worker.STATE.family(), worker.STATE_AGE.family(), worker.READY.family()
        for number, events in dict(self._processor.restore_left).items():
            left.add_metric([str(number)], events)
        found = [(str(number), task.status, task.since_s) for number, task in list(self._processor.tasks.items())]
        statuses = Counter(status for _, status, _ in found)
        for status in Status:
            tasks.add_metric([status.value], statuses[status])
        for number_, current, since_s in found:
            ages.add_metric([number_], time.monotonic() - since_s)
            for status in Status:
                states.add_metric([number_, status.value], status is current)
        ready.add_metric([], statuses[Status.RUNNING] > 0)
        yield from (left, tasks, states, ages, ready)

    def _clocks(self) -> Iterator[Metric]:
        broker_time = self._processor.broker_time
        yield worker.TIMER_STOPPED.family(broker_time.agreement() is Agreement.APART)
        if (skew_ms := broker_time.skew_ms()) is not None:
            yield worker.CLOCK_SKEW.family(skew_ms / 1000)

    def _progress(self) -> Iterator[Metric]:
        """Yields how far each running partition is, and the lag of every partition."""
        taken, lag, offsets = worker.TAKEN.family(), worker.LAG.family(), worker.LAG_OFFSETS.family()
        waiting, accounts = worker.WAITING.family(), worker.ACCOUNTS.family()
        for number, task in list(self._processor.tasks.items()):
            if (states := task.running) is None:
                continue
            state = states.meter.state
            waiting.add_metric([str(number)], len(task.interactions.waiting) + len(task.commands.waiting))
            accounts.add_metric([str(number)], len(state.accounts))
            if taken_ms := state.stream_time:
                taken.add_metric([str(number)], taken_ms / 1000)
        for number, known in self._processor.lags.items():
            lag.add_metric([str(number)], known.seconds(time.monotonic()))
            for topic, count in known.offsets.items():
                offsets.add_metric([str(number), topic], count)
        yield from (taken, lag, offsets, waiting, accounts)

    def _stores(self) -> Iterator[Metric]:
        """Yields how much memory and disk the stores use."""
        families = {name: described.family() for name, described in _STORE.items()}
        shared = 0
        for number, task in list(self._processor.tasks.items()):
            if (states := task.running) is None:
                continue
            figures = states.store.figures() if isinstance(states.store, RocksDbStore) else {}
            shared = max(shared, figures.get("block-cache-usage", 0))
            for name in figures.keys() & families.keys():
                families[name].add_metric([str(number)], figures[name])
        yield from families.values()
        yield worker.BLOCK_CACHE.family(shared)
