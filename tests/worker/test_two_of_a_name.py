"""Two workers that were given one name: one of them ends, and says what to change."""

from __future__ import annotations

import time

import pytest

from .cluster import Cluster
from .process import PATIENCE_S, WorkerProcess, until
from .traffic import Traffic

pytestmark = pytest.mark.kafka


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
    static = {"BOTMETER_KAFKA__GROUP_INSTANCE_ID": "pod-0"}
    first = cluster.worker("one", **static).restored(cluster.partitions)
    cluster.worker("two", **static)

    assert first.ended() != 0
    first.hears("^botmeter: .*(FENCED_INSTANCE_ID|fenced)")
    assert "Traceback" not in first.said
