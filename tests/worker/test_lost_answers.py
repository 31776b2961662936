"""Answers and requests of transactions that the network loses, or delivers late: nothing is lost or doubled by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from botmeter.embedded import EmbeddedCluster

from .cluster import Cluster
from .load import FRAGILE, Load, await_progress, require_sound_outputs
from .process import PATIENCE_S, WorkerProcess
from .proxy import ADD_OFFSETS_TO_TXN, END_TXN, TXN_OFFSET_COMMIT, Proxy

pytestmark = [pytest.mark.kafka, pytest.mark.chaos]

REQUESTS: Final = {
    "EndTxn": END_TXN,
    "AddOffsetsToTxn": ADD_OFFSETS_TO_TXN,
    "TxnOffsetCommit": TXN_OFFSET_COMMIT,
}
#: How many are lost one after the other, again and again: the client itself asks again a few times.
IN_A_ROW: Final = (1, 1, 2, 3, 5, 1)
LATE: Final = 15


@pytest.fixture(scope="module")
def behind_proxy() -> Iterator[tuple[Proxy, EmbeddedCluster]]:
    """A broker that those find behind the proxy who are not told the direct way."""
    properties = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500"}
    with (
        Proxy() as proxy,
        EmbeddedCluster(brokers=1, properties=properties, advertised_ports={1: proxy.port}) as brokers,
    ):
        proxy.target = brokers.nodes[0].clients_port
        yield proxy, brokers


@pytest.fixture
def proxy(behind_proxy: tuple[Proxy, EmbeddedCluster]) -> Proxy:
    return behind_proxy[0]


@pytest.fixture
def cluster(behind_proxy: tuple[Proxy, EmbeddedCluster], topic_prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(behind_proxy[1].direct_servers, topic_prefix, tmp_path)
    yield made
    made.close()


def worker_behind(proxy: Proxy, cluster: Cluster) -> WorkerProcess:
    servers = f"127.0.0.1:{proxy.port}"
    return cluster.worker(BOTMETER_BOOTSTRAP_SERVERS=servers, **FRAGILE).restored(cluster.partitions)


def end_well(cluster: Cluster, worker: WorkerProcess) -> None:
    cluster.await_all_taken([worker], 2 * PATIENCE_S)
    worker.leaves()
    require_sound_outputs(cluster)


@pytest.mark.parametrize("name", REQUESTS)
def test_an_answer_that_is_lost_with_its_connection_leaves_no_doubt(name: str, cluster: Cluster, proxy: Proxy) -> None:
    """The broker has carried the request out, which the worker cannot know."""
    request = REQUESTS[name]
    with Load(cluster, seed=31, pause_s=0.1):
        worker = worker_behind(proxy, cluster)
        for times in IN_A_ROW:
            lost = proxy.lost[request] + times
            proxy.lose_answers(request, times)
            cluster.await_true(lambda: proxy.lost[request] == lost, [worker], PATIENCE_S, "no such request")  # noqa: B023
            await_progress(cluster, [worker])
    end_well(cluster, worker)


def test_the_end_of_a_transaction_that_comes_late_ends_no_other(cluster: Cluster, proxy: Proxy) -> None:
    """The worker has asked again meanwhile, and the next transactions are under way."""
    with Load(cluster, seed=32, pause_s=0.1):
        worker = worker_behind(proxy, cluster)
        for number in range(proxy.kept[END_TXN], proxy.kept[END_TXN] + LATE):
            proxy.keep_requests(END_TXN, 1)
            cluster.await_true(lambda: proxy.kept[END_TXN] > number, [worker], PATIENCE_S, "no such request")  # noqa: B023
            await_progress(cluster, [worker])
            proxy.deliver()
            await_progress(cluster, [worker])
    end_well(cluster, worker)


def test_a_worker_leaves_a_call_behind_that_never_comes_back(cluster: Cluster, proxy: Proxy) -> None:
    """The group's coordinator is gone when the offsets are sent to it; the client waits for it without an end."""
    with Load(cluster, seed=33, pause_s=0.1):
        worker = worker_behind(proxy, cluster)
        await_progress(cluster, [worker])
        proxy.cut_at(TXN_OFFSET_COMMIT)
        worker.hears("sending the offsets did not come back from the client")
        proxy.release()
        await_progress(cluster, [worker])
    end_well(cluster, worker)
