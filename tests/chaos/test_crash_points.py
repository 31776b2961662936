"""Real workers, killed at every point at which those of the histories die, on three real brokers."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from random import Random
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Final

import pytest

from histories.plan import CRASH_POINTS
from worker.load import await_progress
from worker.outage import alter
from worker.process import WorkerProcess

from .installation import Installation
from .stores import require_warm_equals_cold

pytestmark = [pytest.mark.kafka, pytest.mark.chaos]

#: A worker comes by once in its life, or only when something befalls it; by all others it comes again and again.
RARE: Final = {
    "after init", "before abort", "before committed offsets", "on_assign", "on_lost", "on_revoke", "open store",
    "restore writes",
}  # fmt: skip
PASSINGS_MAX: Final = 30


SEED: Final = int(os.environ.get("BOTMETER_TEST_SEED", str(time.time_ns() % 10**6)))


def provoke(point: str, dying: WorkerProcess, cluster: Installation) -> None:
    """What it takes for a worker to come by this point."""
    if point == "on_revoke":
        dying.restored(cluster.partitions)
        while not dying.has_ended:  # on a busy machine it may be taken for dead instead
            with cluster.fragile_worker("other") as other:
                other.restored(1)
    elif point == "on_lost":
        dying.restored(cluster.partitions)
        with cluster.fragile_worker("other") as other:
            lose_partitions(dying, other, cluster)
    elif point == "before abort":
        dying.restored(cluster.partitions)
        results = cluster.topics.command_results
        alter(cluster, results, "max.message.bytes", "100")
        dying.ended()
        alter(cluster, results, "max.message.bytes", str(results.config["max.message.bytes"]))


def lose_partitions(dying: WorkerProcess, other: WorkerProcess, cluster: Installation) -> None:
    """Freezes it until it dies of it: the client may also call what it has lost revoked."""
    while not dying.has_ended:
        dying.send(SIGSTOP)
        await_progress(cluster, [other])
        dying.send(SIGCONT)
        await_progress(cluster, [other])


@pytest.mark.timeout(1_800)
def test_workers_killed_at_every_named_point_in_turn_lose_and_double_nothing(
    cluster: Installation, figures: Counter[str]
) -> None:
    """At each once, the first time that the worker comes by or a later one; its stores are worth a cold restore."""
    print(f"seed {SEED}")  # noqa: T201 - pytest shows it when the test fails
    dice = Random(SEED)
    deaths = [(point, passing(point, dice)) for point in CRASH_POINTS.values()]
    dice.shuffle(deaths)
    with cluster.load(SEED):
        first = cluster.fragile_worker("worker").restored(cluster.partitions)
        await_progress(cluster, [first])
        first.kill()
        for point, time_by in deaths:
            print(f"dies: {point}, passing {time_by}")  # noqa: T201 - as above
            if point == "restore writes":  # a warm restore may find nothing to write
                shutil.rmtree(cluster.data_dir("worker"))
            dying = cluster.dying_worker("worker", point, time_by)
            provoke(point, dying, cluster)

            assert dying.ended() == -SIGKILL, dying.said
            assert dying.lines[-1] == f"dies: {point}"
            figures["kills survived"] += 1
            figures["stores as good as cold ones"] += require_warm_equals_cold(cluster, "worker")
        # What came meanwhile is more than one that commits small takes soon.
        last = cluster.fragile_worker("worker", BOTMETER_BATCH_RECORDS="2000").restored(cluster.partitions)
        await_progress(cluster, [last])
    cluster.end_well(last)


def passing(point: str, dice: Random) -> int:
    """Any, where there are some."""
    return 1 if point in RARE else dice.choice([1, dice.randint(2, PASSINGS_MAX)])
