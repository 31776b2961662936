"""Workers that are killed, frozen, joined and left by others: the outputs stay those of a single replay (T6, J1)."""

from __future__ import annotations

import shutil
import time
from random import Random
from signal import SIGCONT, SIGSTOP
from typing import Final

import pytest

from .cluster import Cluster
from .load import FRAGILE, Load, await_progress, require_sound_outputs

pytestmark = pytest.mark.kafka

KILLS: Final = 7


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


@pytest.mark.chaos
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
