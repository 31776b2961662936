"""What befalls three brokers and the network, beyond what any timeout allows: only how long it takes may differ."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from signal import SIGCONT, SIGSTOP
from typing import Final

import pytest

from botmeter.embedded.cluster import ClusterNode
from worker.load import await_progress
from worker.outage import held_back
from worker.process import PATIENCE_S, WorkerProcess

from .brokers import Brokers, await_in_sync
from .installation import Installation

pytestmark = [pytest.mark.kafka, pytest.mark.chaos]

#: The transaction's, the session's, and the one between two polls.
EVERY_TIMEOUT_S: Final = 8.0
ALL_TIMEOUTS: Final = {"BOTMETER_KAFKA__MAX_POLL_INTERVAL_MS": "6000"}
#: More than a worker may be fenced within a minute before it ends, taking itself for one of two.
TOO_LONG: Final = 8
VICTIMS: Final[dict[str, Callable[[Brokers, Installation], ClusterNode]]] = {
    "transaction coordinator": lambda brokers, cluster: brokers.transaction_coordinator(f"{cluster.group}-worker"),
    "group coordinator": lambda brokers, cluster: brokers.group_coordinator(cluster.group),
    "leader of the journal": lambda brokers, cluster: brokers.leader((cluster.topics.journal.name, 0)),
    "leader of the interactions": lambda brokers, cluster: brokers.leader((cluster.topics.interactions.name, 0)),
    "leader of the commands": lambda brokers, cluster: brokers.leader((cluster.topics.commands.name, 0)),
}


def await_progress_for(cluster: Installation, workers: list[WorkerProcess], seconds: float) -> None:
    """Until so much time has passed, and more was committed at its end."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await_progress(cluster, workers)


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_broker_that_is_killed_holds_nothing_up_for_good(
    victim: str, cluster: Installation, brokers: Brokers, figures: Counter[str]
) -> None:
    await_in_sync(brokers, cluster)
    with cluster.load(1):
        worker = cluster.fragile_worker("worker").restored(cluster.partitions)
        await_progress(cluster, [worker])
        node = VICTIMS[victim](brokers, cluster)
        node.kill()
        figures["brokers killed"] += 1
        await_progress(cluster, [worker])
        node.start()
        await_progress(cluster, [worker])
    cluster.end_well(worker)


@pytest.mark.parametrize("victim", ["transaction coordinator", "group coordinator", "leader of the journal"])
def test_a_broker_that_freezes_holds_nothing_up_for_good(victim: str, cluster: Installation, brokers: Brokers) -> None:
    """It keeps its connections and answers nothing; when it wakes, it takes itself for what it was."""
    await_in_sync(brokers, cluster)
    with cluster.load(2):
        worker = cluster.fragile_worker("worker").restored(cluster.partitions)
        await_progress(cluster, [worker])
        node = VICTIMS[victim](brokers, cluster)
        node.pause()
        await_progress(cluster, [worker])
        node.resume()
        await_progress(cluster, [worker])
    cluster.end_well(worker)


def test_all_three_brokers_are_restarted_one_after_the_other(cluster: Installation, brokers: Brokers) -> None:
    with cluster.load(3):
        workers = [cluster.fragile_worker(name).restored(1) for name in ("first", "second")]
        for node in brokers.nodes:
            await_in_sync(brokers, cluster)
            await_progress(cluster, workers)
            node.stop()
            await_progress(cluster, workers)
            node.start()
        await_progress(cluster, workers)
    cluster.end_well(*workers)


def test_a_worker_frozen_beyond_every_timeout_commits_nothing_when_it_wakes(cluster: Installation) -> None:
    with cluster.load(4):
        frozen = cluster.fragile_worker("frozen", **ALL_TIMEOUTS).restored(cluster.partitions)
        await_progress(cluster, [frozen])
        frozen.send(SIGSTOP)
        other = cluster.fragile_worker("other").restored(cluster.partitions)
        await_progress_for(cluster, [other], EVERY_TIMEOUT_S)
        frozen.send(SIGCONT)
        frozen.hears("the group took|commit failed")
        await_progress(cluster, [frozen, other])
    cluster.end_well(frozen, other)


def test_a_worker_whose_transactions_take_too_long_is_not_taken_for_two_of_a_name(cluster: Installation) -> None:
    """The broker ends each and fences its producer, as it does when another worker of the same name comes.

    After each, the worker restores from its stores, which have what was committed: hardly an event is read again.
    """
    patient = {
        "BOTMETER_KAFKA__SESSION_TIMEOUT_MS": "60000",
        "BOTMETER_TRANSACTION_TIMEOUT_MS": "1000",
        "BOTMETER_SNAPSHOT_INTERVAL_S": "600",
    }
    with cluster.load(9):
        worker = cluster.fragile_worker("worker", **patient).restored(cluster.partitions)
        await_progress(cluster, [worker])
        while sum("commit failed" in line for line in worker.lines) < TOO_LONG:
            worker.send(SIGSTOP)
            await_ends(cluster)
            worker.send(SIGCONT)
            await_progress(cluster, [worker])
    cluster.end_well(worker)
    read_again = sum(int(events) for events in re.findall(r"warm restore of .* accounts, (\d+) events", worker.said))
    assert read_again < sum(cluster.ends(cluster.topics.journal).values()) / TOO_LONG


def await_ends(cluster: Installation) -> None:
    """Until every transaction open now is past its time, and was ended by its broker."""
    cluster.await_true(lambda: not held_back(cluster), [], PATIENCE_S, "a transaction stays open")


def test_a_worker_that_is_cut_off_from_one_broker_goes_on_when_it_reaches_it_again(
    cluster: Installation, brokers: Brokers
) -> None:
    """Its requests that lay in the network meanwhile reach the broker in the end, and count for nothing."""
    with cluster.load(5):
        cut = cluster.fragile_worker("cut", BOTMETER_BOOTSTRAP_SERVERS=brokers.servers_by_proxy)
        cut.restored(cluster.partitions)
        await_progress(cluster, [cut])
        brokers.proxy.cut()
        cut.hears("commit failed")
        other = cluster.fragile_worker("other")
        other.hears("assigned")
        brokers.proxy.release()
        await_progress(cluster, [cut, other])
    cluster.end_well(cut, other)
