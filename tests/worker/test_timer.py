"""Cycles of accounts without traffic are rolled by the timer, at the boundary, and never ahead of unread records."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from botmeter.contracts.instants import rfc3339
from botmeter.contracts.topics import partition_of
from botmeter.kafka import clients

from .cluster import Cluster
from .model import require_outputs
from .process import PATIENCE_S, WorkerProcess
from .traffic import ACCOUNTS, Json, Traffic, command, interaction, now_ms, opening

pytestmark = pytest.mark.kafka

ACCOUNT = "acme"
HOME = partition_of(ACCOUNT.encode(), partitions=2)
#: An account on the other partition.
ELSEWHERE = next(name for name in ACCOUNTS if partition_of(name.encode(), partitions=2) != HOME)
#: From opening to the boundary: enough to write the records of the first cycle, which takes milliseconds, also where
#: the machine is busy.
FIRST_CYCLE_MS = 6_000
#: How long past a boundary the worker's clock must be for the timer to be due.
TIMER_DUE_MS = 2_000


def open_with_a_boundary_soon(traffic: Traffic) -> int:
    """An account with one pack of 20 sessions, its cycle about to end; when that is, UTC ms."""
    boundary = now_ms() + FIRST_CYCLE_MS
    traffic.ask(opening(ACCOUNT, anchor=rfc3339(boundary)))
    traffic.ask(command("purchase_packs", ACCOUNT, "packs", packs=1))
    return boundary


def journal_of(cluster: Cluster, partition: int = HOME) -> list[Json]:
    messages = cluster.read(cluster.topics.journal)[cluster.topics.journal.name, partition]
    return [json.loads(message.value() or b"") for message in messages]


def cycles(journal: list[Json]) -> list[Json]:
    return [event for event in journal if event["type"] == "cycle_started" and event["number"] > 1]


def await_a_cycle(cluster: Cluster, worker: WorkerProcess, partition: int) -> None:
    def is_rolled() -> bool:
        return bool(cycles(journal_of(cluster, partition)))

    cluster.await_true(is_rolled, [worker], PATIENCE_S, "no cycle was rolled")


def wait_until(moment_ms: int) -> None:
    """Asks the clock, which cannot tell by itself."""
    while (left_ms := moment_ms - now_ms()) > 0:
        time.sleep(left_ms / 1000)


def require_written_before(boundary: int, cluster: Cluster, count: int) -> None:
    """By the broker's clock, or the test would prove nothing."""
    inputs = cluster.read(cluster.topics.interactions, cluster.topics.commands)
    written_at = [message.timestamp()[1] for messages in inputs.values() for message in messages]
    assert len(written_at) == count
    assert max(written_at) < boundary


def test_the_timer_rolls_the_cycle_of_an_idle_account_at_its_boundary(cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=1)
    worker = cluster.worker().restored(cluster.partitions)
    boundary = open_with_a_boundary_soon(traffic)
    cluster.flush()
    for number in range(3):
        traffic.say(interaction(ACCOUNT, f"u-{number}"))
    cluster.flush()
    require_written_before(boundary, cluster, count=5)
    await_a_cycle(cluster, worker, HOME)

    [cycle] = cycles(journal_of(cluster))
    assert cycle["cause"] == {"timer": "cycle", "before_offset": 3}
    assert cycle["at"] == cycle["starts_at"] == rfc3339(boundary)
    assert (cycle["number"], cycle["packs"], cycle["total"], cycle["expired"]) == (2, 1, 20, 17)
    traffic.say(interaction(ACCOUNT, "u-new"))
    cluster.flush()
    cluster.await_all_taken([worker])
    assert journal_of(cluster)[-1]["cycle_number"] == 2
    require_outputs(cluster)
    assert worker.stop() == 0


def test_the_timer_never_overtakes_interactions_that_are_still_unread(cluster: Cluster) -> None:
    """The worker starts past the boundary and reads the backlog in many small batches, the timer due in each."""
    traffic = Traffic(cluster, seed=2)
    boundary = open_with_a_boundary_soon(traffic)
    cluster.flush()
    for number in range(300):
        traffic.say(interaction(ACCOUNT, f"u-{number // 20}", event_id=f"e-{number}"))
    cluster.flush()
    require_written_before(boundary, cluster, count=302)
    wait_until(boundary + TIMER_DUE_MS)
    worker = cluster.worker(BOTMETER_BATCH_RECORDS="10")
    await_a_cycle(cluster, worker, HOME)

    journal = journal_of(cluster)
    sessions = [event for event in journal if event["type"] == "session_started"]
    assert [event["cycle_number"] for event in sessions] == [1] * 15
    assert journal[-1]["type"] == "cycle_started"
    assert_rolled_after(300, boundary, journal[-1])
    require_outputs(cluster)
    assert worker.stop() == 0


def test_the_timer_waits_for_records_that_an_open_transaction_holds_back(cluster: Cluster) -> None:
    """They are in the log from before the boundary, while the worker's client believes to be at the end of it."""
    traffic = Traffic(cluster, seed=3)
    worker = cluster.worker().restored(cluster.partitions)
    interactions = cluster.topics.interactions.name
    with clients.make_producer(
        clients.producer_config({}, cluster.bootstrap_servers, f"{cluster.group}-chats", 60_000)
    ) as chats:
        chats.init_transactions(PATIENCE_S)
        boundary = open_with_a_boundary_soon(traffic)
        traffic.ask(opening(ELSEWHERE, anchor=rfc3339(boundary)))
        cluster.flush()
        chats.begin_transaction()
        chats.produce(interactions, json.dumps(interaction(ACCOUNT, "u-1")), ACCOUNT, HOME)
        assert chats.flush(PATIENCE_S) == 0
        await_a_cycle(cluster, worker, 1 - HOME)
        assert not cycles(journal_of(cluster))
        chats.commit_transaction(PATIENCE_S)
    await_a_cycle(cluster, worker, HOME)

    assert [event["type"] for event in journal_of(cluster)][-2:] == ["session_started", "cycle_started"]
    [message] = cluster.read(cluster.topics.interactions)[interactions, HOME]
    assert message.timestamp()[1] < boundary, "written too late to prove anything"
    require_outputs(cluster)
    assert worker.stop() == 0


def assert_rolled_after(interactions: int, boundary: int, cycle: Any) -> None:
    assert cycle["cause"] == {"timer": "cycle", "before_offset": interactions}
    assert cycle["at"] == rfc3339(boundary)
    assert (cycle["number"], cycle["total"], cycle["expired"]) == (2, 20, 5)
