"""Two workers that were given one name: one of them ends, and says what to change, unless the other one is dead."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

import pytest

from .cluster import Cluster
from .model import require_outputs
from .process import PATIENCE_S, WorkerProcess, until
from .traffic import Traffic

pytestmark = pytest.mark.kafka

STATIC: Final = {"BOTMETER_KAFKA__GROUP_INSTANCE_ID": "pod-0"}
#: Members of KIP-848: how soon one is missed, the brokers say.
STATIC_848: Final = {**STATIC, "BOTMETER_KAFKA__GROUP_PROTOCOL": "consumer"}
IMPATIENT: Final = [sys.executable, str(Path(__file__).with_name("impatient_worker.py"))]
OWN_ID: Final = "give each worker a BOTMETER_KAFKA__GROUP_INSTANCE_ID of its own"


def await_an_end(cluster: Cluster, workers: list[WorkerProcess]) -> WorkerProcess:
    """Keeps both at work until one of them has ended; which one."""
    traffic, deadline = Traffic(cluster, seed=41), until(3 * PATIENCE_S)
    while not any(worker.has_ended for worker in workers):
        assert time.monotonic() < deadline, "neither worker ended"
        traffic.run(interactions=20)
        cluster.flush()
        time.sleep(0.05)
    [ended, *_] = [worker for worker in workers if worker.has_ended]
    return ended


def test_two_workers_with_one_instance_end_each_others_producers_until_one_gives_up(cluster: Cluster) -> None:
    Traffic(cluster, seed=40).open_accounts()
    first = cluster.worker("one").restored(cluster.partitions)
    second = cluster.worker("two", BOTMETER_INSTANCE="one").restored(1)
    ended = await_an_end(cluster, [first, second])

    assert ended.ended() == 2, ended.said
    assert "give each worker a BOTMETER_INSTANCE of its own" in ended.lines[-1]
    assert "Traceback" not in ended.said


def test_a_worker_whose_place_in_the_group_was_taken_by_a_namesake_ends(cluster: Cluster) -> None:
    first = cluster.worker("one", **STATIC).restored(cluster.partitions)
    cluster.worker("two", **STATIC)

    assert first.ended() == 2, first.said
    assert OWN_ID in first.lines[-1]
    assert "Traceback" not in first.said


def test_in_kip_848_the_place_of_a_dead_namesake_is_waited_for(cluster: Cluster) -> None:
    """As that of a worker which is started again at once after kill -9: the brokers keep it until its session ends."""
    traffic = Traffic(cluster, seed=42)
    traffic.open_accounts()
    first = cluster.worker("one", **STATIC_848).restored(cluster.partitions)
    second = cluster.worker("two", **STATIC_848)
    second.hears("waiting .* s for the group to forget .*GROUP_INSTANCE_ID")
    assert not first.has_ended
    first.kill()
    second.restored(cluster.partitions)

    traffic.run(interactions=100, commands=5)
    cluster.flush()
    cluster.await_all_taken([second])
    second.leaves()
    require_outputs(cluster)
    assert len([line for line in second.lines if "GROUP_INSTANCE_ID" in line or "instance ID" in line]) == 1


def test_in_kip_848_a_namesake_that_lives_keeps_its_place(cluster: Cluster) -> None:
    first = cluster.worker("one", **STATIC_848).restored(cluster.partitions)
    with WorkerProcess(cluster.environment("two", **STATIC_848), program=IMPATIENT) as second:
        assert second.ended() == 2, second.said
        assert OWN_ID in second.lines[-1]
        assert "Traceback" not in second.said

    first.leaves()
