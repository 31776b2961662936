"""Cycles of idle accounts roll by the timer, which never overtakes what is still unread (A12, J4, J5)."""

from __future__ import annotations

import time
from signal import SIGCONT, SIGSTOP
from typing import Final

import pytest

from botmeter.contracts.instants import rfc3339
from botmeter.domain import events as ev
from botmeter.domain.events import Event, TimerCause
from botmeter.engine.processor import TIMER_MARGIN_MS

from .cluster import Cluster
from .model import decode, require_outputs
from .process import PATIENCE_S, WorkerProcess
from .traffic import Traffic, command, interaction, now_ms, opening

pytestmark = pytest.mark.kafka

#: Long enough for a worker to start before the boundary.
AHEAD_MS: Final = 3_000


def open_accounts(cluster: Cluster, traffic: Traffic, *account_ids: str) -> int:
    """Opens accounts with a pack, whose cycles end soon; the boundary, UTC ms."""
    boundary = now_ms() + AHEAD_MS
    for account_id in account_ids:
        traffic.ask(opening(account_id, anchor=rfc3339(boundary)))
        traffic.ask(command("purchase_packs", account_id, "buy", packs=1))
    cluster.flush()
    return boundary


def wait_past(boundary: int) -> None:
    """Until the timer would roll the cycle."""
    time.sleep(max(0.0, (boundary + TIMER_MARGIN_MS - now_ms()) / 1000 + 0.1))


def journal(cluster: Cluster) -> list[Event]:
    found = cluster.read(cluster.topics.journal)
    return [decode(message) for messages in found.values() for message in messages]


def cycles(cluster: Cluster) -> list[ev.CycleStarted]:
    return [event for event in journal(cluster) if isinstance(event, ev.CycleStarted)]


def await_cycles(cluster: Cluster, count: int, worker: WorkerProcess) -> None:
    cluster.await_true(lambda: len(cycles(cluster)) == count, [worker], PATIENCE_S, "the cycles did not roll")


def test_cycles_of_idle_accounts_roll_by_the_timer_at_their_boundaries(cluster: Cluster) -> None:
    worker = cluster.worker().restored(cluster.partitions)
    traffic = Traffic(cluster, seed=21)
    boundary = open_accounts(cluster, traffic, "acme", "initech", "wayne")
    traffic.say(interaction("acme", "u-1"))
    cluster.flush()
    await_cycles(cluster, 3, worker)

    assert {cycle.account_id: (cycle.at, cycle.number) for cycle in cycles(cluster)} == {
        account_id: (boundary, 2) for account_id in ("acme", "initech", "wayne")
    }
    assert all(isinstance(cycle.cause, TimerCause) for cycle in cycles(cluster))
    assert worker.stop() == 0
    require_outputs(cluster)


def test_a_backlog_is_taken_before_the_timer_rolls_the_cycle_that_ended_meanwhile(cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=22)
    boundary = open_accounts(cluster, traffic, "acme")
    for number in range(5):
        traffic.say(interaction("acme", f"u-{number}"))
    cluster.flush()
    wait_past(boundary)
    worker = cluster.worker()
    await_cycles(cluster, 1, worker)

    require_old_cycle_first(cluster, sessions=5)
    assert worker.stop() == 0
    require_outputs(cluster)


def test_what_came_while_the_worker_stood_still_is_taken_before_the_timer(cluster: Cluster) -> None:
    worker = cluster.worker(BOTMETER_KAFKA__SESSION_TIMEOUT_MS="30000").restored(cluster.partitions)
    traffic = Traffic(cluster, seed=23)
    boundary = open_accounts(cluster, traffic, "acme")
    cluster.await_all_taken([worker])
    worker.send(SIGSTOP)
    for number in range(5):
        traffic.say(interaction("acme", f"u-{number}"))
    cluster.flush()
    wait_past(boundary)
    worker.send(SIGCONT)
    cluster.await_all_taken([worker])
    await_cycles(cluster, 1, worker)

    require_old_cycle_first(cluster, sessions=5)
    assert worker.stop() == 0


def require_old_cycle_first(cluster: Cluster, sessions: int) -> None:
    kinds = [type(event) for event in journal(cluster) if isinstance(event, ev.SessionStarted | ev.CycleStarted)]

    assert kinds == [ev.SessionStarted] * sessions + [ev.CycleStarted]
