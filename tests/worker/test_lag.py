"""The lag is told by what is committed and what the cluster has (F7), whatever the worker has read or can do."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from .cluster import Cluster
from .outage import open_transaction
from .process import PATIENCE_S, WorkerProcess
from .test_every_partition import metrics, page
from .traffic import Traffic

pytestmark = pytest.mark.kafka


def lags(worker: WorkerProcess) -> list[float]:
    """In seconds, of the partitions told."""
    return [value for name, value in metrics(worker).items() if name.startswith("botmeter_lag_seconds")]


def await_lag(cluster: Cluster, worker: WorkerProcess, is_met: Callable[[float], bool]) -> None:
    cluster.await_true(
        lambda: len(found := lags(worker)) == cluster.partitions and all(map(is_met, found)),
        [worker],
        PATIENCE_S,
        "the lag did not become what it is",
    )


def test_what_an_open_transaction_on_the_interactions_holds_back_is_lag(cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=71)
    traffic.open_accounts()
    worker = cluster.worker().restored(cluster.partitions)
    await_lag(cluster, worker, lambda lag: lag == 0)
    with open_transaction(cluster, cluster.topics.interactions):
        traffic.run(interactions=50)
        cluster.flush()
        await_lag(cluster, worker, lambda lag: lag > 1)
        health = json.loads(page(worker, "/health"))
        assert all(told["lag_s"] > 1 for told in health["partitions"].values())
    await_lag(cluster, worker, lambda lag: lag == 0)
    worker.leaves()


def test_a_partition_in_restore_has_a_lag_and_a_state(cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=72)
    traffic.open_accounts()
    traffic.run(interactions=50)
    cluster.flush()
    with open_transaction(cluster, cluster.topics.journal):
        worker = cluster.worker()
        await_lag(cluster, worker, lambda lag: lag > 1)
        told = metrics(worker)
        for number in range(cluster.partitions):
            assert told[f'botmeter_partition_state{{partition="{number}",state="restoring"}}'] == 1
        assert told["botmeter_ready"] == 0
    await_lag(cluster, worker, lambda lag: lag == 0)
    worker.leaves()
