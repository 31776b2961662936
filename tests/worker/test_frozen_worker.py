"""A worker that stood still for a while, as in a paused container or a long garbage collection of its host."""

from __future__ import annotations

import time
from signal import SIGCONT, SIGSTOP
from typing import Final

import pytest

from botmeter.contracts.instants import rfc3339
from botmeter.contracts.topics import partition_of
from botmeter.domain import events as ev
from botmeter.engine.timer import MARGIN_MS as TIMER_MARGIN_MS

from .cluster import Cluster
from .model import decode
from .process import PATIENCE_S, WorkerProcess
from .traffic import ACCOUNTS, Traffic, interaction, now_ms, opening

pytestmark = pytest.mark.kafka

HOME: Final = 0
#: From the opening to the boundary: long enough to freeze the worker and to write some records. Where the machine is
#: too busy for it, the next account has more.
AHEAD_MS: Final = (2_500, 10_000, 40_000)


def test_what_came_while_the_worker_stood_still_is_taken_before_the_timer(cluster: Cluster) -> None:
    """A12: the timer never runs ahead of the unread backlog."""
    worker = cluster.worker(BOTMETER_KAFKA__SESSION_TIMEOUT_MS="120000").restored(cluster.partitions)
    account_id, boundary = freeze_before_a_boundary(cluster, worker)
    while now_ms() <= boundary + TIMER_MARGIN_MS:  # what is awaited is the time itself, when the timer is due
        time.sleep(0.05)
    worker.send(SIGCONT)
    cluster.await_all_taken([worker])
    cluster.await_true(
        lambda: ev.CycleStarted in kinds(cluster, account_id), [worker], PATIENCE_S, "the cycle did not roll"
    )

    assert kinds(cluster, account_id) == [ev.SessionStarted] * 5 + [ev.CycleStarted]


def freeze_before_a_boundary(cluster: Cluster, worker: WorkerProcess) -> tuple[str, int]:
    """A worker that knows an account, stands still, and has five interactions to read from before the cycle's end.

    The account, and when its cycle ends (UTC ms).
    """
    traffic, at_home = Traffic(cluster, seed=23), [id_ for id_ in ACCOUNTS if partition_of(id_.encode(), 2) == HOME]
    for account_id, ahead_ms in zip(at_home, AHEAD_MS, strict=True):
        boundary = now_ms() + ahead_ms
        traffic.ask(opening(account_id, anchor=rfc3339(boundary)))
        cluster.flush()
        cluster.await_all_taken([worker])
        worker.send(SIGSTOP)
        for number in range(5):
            traffic.say(interaction(account_id, f"u-{number}"))
        cluster.flush()
        if last_interaction_at(cluster) < boundary:
            return account_id, boundary
        worker.send(SIGCONT)
    raise AssertionError(f"writing five interactions took longer than {AHEAD_MS[-1]} ms")


def last_interaction_at(cluster: Cluster) -> int:
    """By the broker's clock, UTC ms."""
    return cluster.read(cluster.topics.interactions)[cluster.topics.interactions.name, HOME][-1].timestamp()[1]


def kinds(cluster: Cluster, account_id: str) -> list[type[object]]:
    """Of the account's sessions and cycles in the journal, in their order."""
    events = map(decode, cluster.read(cluster.topics.journal)[cluster.topics.journal.name, HOME])
    told = [event for event in events if isinstance(event, ev.SessionStarted | ev.CycleStarted)]
    return [type(event) for event in told if event.account_id == account_id]
