"""A fault in what the Kafka client calls back ends the worker, which commits nothing of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import pytest

from .cluster import Cluster
from .model import require_outputs
from .process import WorkerProcess
from .traffic import Traffic

pytestmark = pytest.mark.kafka

FAULTY: Final = [sys.executable, str(Path(__file__).with_name("faulty_callbacks.py"))]
TOLD: Final = "ZeroDivisionError: two and two are five"


def faulty(cluster: Cluster, fault: str) -> WorkerProcess:
    return WorkerProcess(cluster.environment("faulty", FAULT=fault), program=FAULTY)


def begin(cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=51)
    traffic.open_accounts()
    traffic.run(interactions=100, commands=5)
    cluster.flush()


def require_ended_by_it(worker: WorkerProcess) -> None:
    assert worker.ended() == 1, worker.said
    assert TOLD in worker.said


def require_a_good_end(cluster: Cluster, worker: WorkerProcess) -> None:
    worker.restored(cluster.partitions)
    cluster.await_all_taken([worker])
    worker.leaves()
    require_outputs(cluster)


@pytest.mark.parametrize("fault", ["assigned", "delivered"])
def test_a_worker_that_stumbles_over_it_ends_and_commits_nothing(fault: str, cluster: Cluster) -> None:
    """Whatever on_assign raises, the client assigns the partitions; and a delivery report comes within a flush."""
    begin(cluster)
    with faulty(cluster, fault) as worker:
        require_ended_by_it(worker)

    assert max(cluster.committed().values()) <= 0
    require_a_good_end(cluster, cluster.worker())


def test_a_worker_that_cannot_give_partitions_up_ends_and_another_takes_all_of_them(cluster: Cluster) -> None:
    with faulty(cluster, "revoked") as worker:
        worker.restored(cluster.partitions)
        other = cluster.worker("other")
        require_ended_by_it(worker)
    begin(cluster)
    require_a_good_end(cluster, other)


def test_a_worker_that_cannot_give_partitions_up_when_it_stops_says_so(cluster: Cluster) -> None:
    begin(cluster)
    with faulty(cluster, "revoked") as worker:
        worker.restored(cluster.partitions)
        cluster.await_all_taken([worker])

        assert worker.stop() == 1, worker.said
        assert TOLD in worker.said
    require_a_good_end(cluster, cluster.worker())
