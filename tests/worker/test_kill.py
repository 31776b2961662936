"""Workers that are killed, frozen, joined and left by others: the outputs stay those of a single replay (T6, J1)."""

from __future__ import annotations

import shutil
import time
from random import Random
from signal import SIGCONT, SIGSTOP
from threading import Event as Flag
from threading import Thread
from types import TracebackType
from typing import Final, Self

import pytest

from .cluster import Cluster
from .model import require_outputs
from .outage import held_back
from .process import PATIENCE_S, WorkerProcess
from .traffic import Traffic

pytestmark = pytest.mark.kafka

KILLS: Final = 7
#: Commits small and often, so that a death is likely to fall into one; the dead and their transactions missed soon.
FRAGILE: Final = {
    "BOTMETER_BATCH_RECORDS": "60",
    "BOTMETER_TRANSACTION_TIMEOUT_MS": "2000",
    "BOTMETER_KAFKA__SESSION_TIMEOUT_MS": "1500",
}


class Load:
    """Traffic that goes on in a thread of its own until it is ended."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
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
        while not self._ended.wait(0.01):
            self._traffic.run(interactions=6, commands=1)
        self._cluster.flush()


def require_sound_outputs(cluster: Cluster) -> None:
    # What ends a transaction in its partitions is written after the broker has answered.
    cluster.await_true(lambda: not held_back(cluster), [], PATIENCE_S, "a transaction was left open")
    require_outputs(cluster)


def await_progress(cluster: Cluster, workers: list[WorkerProcess]) -> None:
    """Until more was committed in every partition than now."""
    before = cluster.ends(cluster.topics.journal)
    cluster.await_true(
        lambda: all(end > before[number] for number, end in cluster.ends(cluster.topics.journal).items()),
        workers,
        PATIENCE_S,
        "no progress",
    )


def test_a_worker_killed_again_and_again_loses_and_doubles_nothing(cluster: Cluster) -> None:
    seed = time.time_ns() % 10**6
    dice = Random(seed)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    with Load(cluster, seed):
        for _ in range(KILLS):
            with cluster.worker(**FRAGILE) as worker:
                if dice.random() < 0.7:
                    worker.restored(cluster.partitions)
                    await_progress(cluster, [worker])
                else:
                    worker.hears("assigned")
                time.sleep(dice.uniform(0, 0.3))  # anywhere in what it does then
                worker.kill()
            if dice.random() < 0.4:
                shutil.rmtree(cluster.data_dir())
    worker = cluster.worker(**FRAGILE)
    cluster.await_all_taken([worker])
    worker.leaves()

    require_sound_outputs(cluster)


def test_a_frozen_worker_whose_partitions_went_to_another_commits_nothing_when_it_wakes(cluster: Cluster) -> None:
    with Load(cluster, seed=42):
        frozen = cluster.worker("frozen", **FRAGILE).restored(cluster.partitions)
        await_progress(cluster, [frozen])
        frozen.send(SIGSTOP)
        other = cluster.worker("other", **FRAGILE).restored(cluster.partitions)
        await_progress(cluster, [other])
        frozen.send(SIGCONT)
        frozen.hears("the group took|commit failed")
        await_progress(cluster, [frozen, other])
    cluster.await_all_taken([frozen, other])
    frozen.leaves()
    other.leaves()

    require_sound_outputs(cluster)


def test_workers_that_join_and_leave_hand_their_partitions_over(cluster: Cluster) -> None:
    with Load(cluster, seed=43):
        first = cluster.worker("first", **FRAGILE).restored(cluster.partitions)
        second = cluster.worker("second", **FRAGILE).restored(1)
        await_progress(cluster, [first, second])
        first.leaves()
        second.restored(cluster.partitions)
        await_progress(cluster, [second])
        third = cluster.worker("third", **FRAGILE).restored(1)
        first = cluster.worker("first", **FRAGILE)  # one more than there are partitions
        await_progress(cluster, [first, second, third])
        second.leaves()
        third.leaves()
        await_progress(cluster, [first])
    cluster.await_all_taken([first])
    first.leaves()

    require_sound_outputs(cluster)
