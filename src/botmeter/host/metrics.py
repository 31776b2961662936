"""The worker's metrics, in the text format of Prometheus; read from plain numbers that the engine keeps anyway."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Final, get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from botmeter.domain.metering import Outcome
from botmeter.engine.processor import Processor
from botmeter.engine.store_rocksdb import RocksDbStore
from botmeter.engine.task import Status, Task
from botmeter.engine.transaction import Batch
from botmeter.errors import InvariantViolated
from botmeter.telemetry import worker
from botmeter.telemetry.process import register_process

_DEAD: Final = ("in_future", "too_late", "unknown_account", "account_closed")
_REASONS: Final = ("malformed", "invalid", "too_large", "wrong_key", "wrong_partition", *_DEAD)
_OUTCOMES: Final = tuple(outcome for outcome in get_args(Outcome) if outcome not in _DEAD)

#: The metric of each figure of a store.
_STORE: Final = {
    "cur-size-all-mem-tables": worker.MEMTABLES,
    "estimate-table-readers-mem": worker.INDEXES,
    "total-sst-files-size": worker.DISK,
    "estimate-live-data-size": worker.LIVE,
    "estimate-pending-compaction-bytes": worker.COMPACTION_PENDING,
    "num-running-compactions": worker.COMPACTIONS,
}


class Commit:
    """A batch on its way through its transaction, with the times of it."""

    def __init__(self, batch: Batch, committed: Future[bool]) -> None:
        self.batch = batch
        self._began_s = time.monotonic()
        #: How long it took, and when it ended, UTC ms.
        self.took_s, self.ended_at = 0.0, 0
        committed.add_done_callback(self._end)

    def _end(self, _: Future[bool]) -> None:
        self.took_s, self.ended_at = time.monotonic() - self._began_s, time.time_ns() // 1_000_000


class Metrics(Collector):
    """What the worker has done since its start."""

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

    def committed(self, commit: Commit, is_committed: bool) -> None:  # noqa: FBT001 - the answer of the commit
        """A commit came back; True when there was a transaction."""
        self._transactions += is_committed
        self._last_commit_at = commit.ended_at / 1000
        if not is_committed:
            return
        self._commits.observe(commit.took_s)
        self._batches.observe(sum(part.decided.counts.total() for part in commit.batch.parts))
        if (passage := commit.batch.passage) is not None:
            moments = {"polled": passage.polled_at, "decided": passage.decided_at, "committed": commit.ended_at}
            for stage, at in moments.items():
                self._stages.labels(stage).observe(max(0, at - passage.appended_at) / 1000)

    def render(self) -> bytes:
        """All metrics as a page."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """For Prometheus' registry."""
        counts = Counter(self._processor.counts)
        interactions, letters = worker.INTERACTIONS.family(), worker.DEAD_LETTERS.family()
        for outcome in _OUTCOMES:
            interactions.add_metric([outcome], counts[outcome])
        for reason in _REASONS:
            letters.add_metric([reason], counts[reason])
        yield interactions
        yield letters
        yield worker.COMMANDS.family(counts["command"])
        yield worker.TRANSACTIONS.family(self._transactions)
        yield worker.FAILED_COMMITS.family(self.failed_commits)
        yield worker.OPEN_TRANSACTIONS_PASSED.family(self._processor.open_transactions_passed)
        if self._last_commit_at is not None:
            yield worker.LAST_COMMIT.family(self._last_commit_at)
        yield from self._progress()
        yield from self._stores()
        left, tasks = worker.RESTORE_LEFT.family(), worker.TASKS.family()
        for number, events in dict(self._processor.restore_left).items():
            left.add_metric([str(number)], events)
        statuses = Counter(task.status for task in list(self._processor.tasks.values()))
        for status in Status:
            tasks.add_metric([status.value], statuses[status])
        yield left
        yield tasks

    def _progress(self) -> Iterator[Metric]:
        """How far each running partition is, and how far behind."""
        taken, lag = worker.TAKEN.family(), worker.LAG.family()
        waiting, accounts = worker.WAITING.family(), worker.ACCOUNTS.family()
        for number, task in list(self._processor.tasks.items()):
            try:
                state = task.states.meter.state
            except InvariantViolated:  # it is not running, or ceases to at this moment: another thread sees to that
                continue
            waiting.add_metric([str(number)], len(task.interactions.waiting) + len(task.commands.waiting))
            accounts.add_metric([str(number)], len(state.accounts))
            if taken_ms := state.stream_time:
                taken.add_metric([str(number)], taken_ms / 1000)
            if (behind_s := _behind_s(task, taken_ms)) is not None:
                lag.add_metric([str(number)], behind_s)
        yield from (taken, lag, waiting, accounts)

    def _stores(self) -> Iterator[Metric]:
        """What the stores take of memory and disk."""
        families = {name: described.family() for name, described in _STORE.items()}
        shared = 0
        for number, task in list(self._processor.tasks.items()):
            try:
                store = task.states.store
            except InvariantViolated:
                continue
            figures = store.figures() if isinstance(store, RocksDbStore) else {}
            shared = max(shared, figures.get("block-cache-usage", 0))
            for name in figures.keys() & families.keys():
                families[name].add_metric([str(number)], figures[name])
        yield from families.values()
        yield worker.BLOCK_CACHE.family(shared)


def _behind_s(task: Task, taken_ms: int) -> float | None:
    """The lag in seconds; None while it is not known. `taken_ms`: time of the last record taken, UTC ms, 0 if none."""
    heads = [input_.head_at() for input_ in (task.interactions, task.commands) if input_.waiting]
    if not heads and task.is_idle:
        return 0.0
    # Without a record waiting, the next one is as old as the last one taken, or younger.
    next_ms = min(heads, default=taken_ms)
    return max(0.0, time.time() - next_ms / 1000) if next_ms else None
