"""Load that goes on while workers die, and what must be so when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event as Flag
from threading import Thread
from types import TracebackType
from typing import Final, Self

from botmeter.contracts.topics import partition_of

from .cluster import Cluster
from .model import require_outputs
from .outage import held_back
from .process import PATIENCE_S, WorkerProcess
from .traffic import ACCOUNTS, Traffic

#: Commits small and often, so that a death is likely to fall into one; the dead and their transactions missed soon.
FRAGILE: Final = {
    "BOTMETER_BATCH_RECORDS": "60",
    "BOTMETER_TRANSACTION_TIMEOUT_MS": "2000",
    "BOTMETER_KAFKA__SESSION_TIMEOUT_MS": "1500",
}


class Load:
    """Traffic that goes on in a thread of its own until it is ended."""

    def __init__(self, cluster: Cluster, seed: int, pause_s: float = 0.01) -> None:
        """`pause_s`: between two portions of seven records, so that long tests leave no backlog of minutes."""
        self._pause_s = pause_s
        self._cluster, self._traffic = cluster, Traffic(cluster, seed)
        self._ended = Flag()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._traffic.open_accounts()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._pause_s):
            self._traffic.run(interactions=6, commands=1)
        self._cluster.flush()


def require_sound_outputs(cluster: Cluster) -> None:
    # What ends a transaction in its partitions is written after the broker has answered.
    cluster.await_true(lambda: not held_back(cluster), [], PATIENCE_S, "a transaction was left open")
    require_outputs(cluster)


def await_progress(cluster: Cluster, workers: Sequence[WorkerProcess]) -> None:
    """Until more was committed than now in every partition that holds an account."""
    before = cluster.ends(cluster.topics.journal)
    lively = {partition_of(name.encode(), cluster.partitions) for name in ACCOUNTS}
    cluster.await_true(
        lambda: all(
            end > before[number] for number, end in cluster.ends(cluster.topics.journal).items() if number in lively
        ),
        workers,
        PATIENCE_S,
        "no progress",
    )
