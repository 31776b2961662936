"""A worker that stood still for a while, as in a paused container or a long garbage collection of its host."""

from __future__ import annotations

import time
from signal import SIGCONT, SIGSTOP
from typing import Final

import pytest

from botmeter.contracts.instants import rfc3339
from botmeter.domain import events as ev
from botmeter.engine.timer import MARGIN_MS as TIMER_MARGIN_MS

from .cluster import Cluster
from .model import decode
from .process import PATIENCE_S
from .traffic import Traffic, interaction, now_ms, opening

pytestmark = pytest.mark.kafka

#: From the opening to the boundary: long enough to freeze the worker and to write some records.
AHEAD_MS: Final = 2_500


def test_what_came_while_the_worker_stood_still_is_taken_before_the_timer(cluster: Cluster) -> None:
    """A12: the timer never runs ahead of the unread backlog."""
    worker = cluster.worker(BOTMETER_KAFKA__SESSION_TIMEOUT_MS="30000").restored(cluster.partitions)
    traffic = Traffic(cluster, seed=23)
    boundary = now_ms() + AHEAD_MS
    traffic.ask(opening("acme", anchor=rfc3339(boundary)))
    cluster.flush()
    cluster.await_all_taken([worker])
    worker.send(SIGSTOP)
    for number in range(5):
        traffic.say(interaction("acme", f"u-{number}"))
    cluster.flush()
    while now_ms() <= boundary + TIMER_MARGIN_MS:  # what is awaited is the time itself, when the timer is due
        time.sleep(0.05)
    worker.send(SIGCONT)
    cluster.await_all_taken([worker])
    cluster.await_true(lambda: ev.CycleStarted in kinds(cluster), [worker], PATIENCE_S, "the cycle did not roll")

    assert kinds(cluster) == [ev.SessionStarted] * 5 + [ev.CycleStarted]


def kinds(cluster: Cluster) -> list[type[object]]:
    """Of the journal's sessions and cycles, in their order."""
    messages = cluster.read(cluster.topics.journal)[cluster.topics.journal.name, 0]
    return [type(event) for event in map(decode, messages) if isinstance(event, ev.SessionStarted | ev.CycleStarted)]
