"""Money never follows a worker's clock: one that is set wrong rolls no cycle and charges nothing twice."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from botmeter.contracts.encoding import decode_snapshot

from .cluster import Cluster
from .model import require_outputs
from .process import WorkerProcess
from .test_timer import ACCOUNT, HOME, await_a_cycle, cycles, journal_of, open_with_a_boundary_soon, wait_until
from .traffic import Traffic, interaction, opening

pytestmark = pytest.mark.kafka

PROGRAM: Final = [sys.executable, str(Path(__file__).with_name("skewed_worker.py"))]
DAY_MS: Final = 86_400_000


class Skew:
    """How far the clocks of skewed workers are ahead, to be set by a test."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "clock-ahead"

    def set(self, ahead_ms: int) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(str(ahead_ms), encoding="ascii")
        new.rename(self.file)


@pytest.fixture
def skew(tmp_path: Path) -> Skew:
    return Skew(tmp_path)


@contextmanager
def skewed(cluster: Cluster, skew: Skew, **variables: str) -> Iterator[WorkerProcess]:
    environment = {**cluster.environment(**variables), "CLOCK_AHEAD_FILE": str(skew.file)}
    with WorkerProcess(environment, program=PROGRAM) as worker:
        yield worker.restored(cluster.partitions)


def test_a_worker_400_days_ahead_rolls_nothing_until_its_clock_is_set_right(cluster: Cluster, skew: Skew) -> None:
    traffic = Traffic(cluster, seed=1)
    skew.set(400 * DAY_MS)
    with skewed(cluster, skew) as worker:
        boundary = open_with_a_boundary_soon(traffic)
        traffic.say(interaction(ACCOUNT, "u-1"))
        cluster.flush()
        cluster.await_all_taken([worker])
        worker.hears(r"the worker's clock is 3456\d\d\d\d s ahead of the brokers'; no cycle is rolled by time")
        wait_until(boundary + 5_000)  # what is awaited is the time itself, by which a cycle should have rolled
        assert not cycles(journal_of(cluster))
        skew.set(0)
        worker.hears("the worker's clock and the brokers' agree again")
        await_a_cycle(cluster, worker, HOME)
        assert len(cycles(journal_of(cluster))) == 1
        require_outputs(cluster)
        assert worker.stop() == 0


@pytest.mark.chaos
def test_a_worker_without_traffic_asks_the_brokers_what_time_it_is(cluster: Cluster) -> None:
    """After its start it knows of no record, and its clock alone is no reason to roll a cycle."""
    traffic = Traffic(cluster, seed=2)
    first = cluster.worker().restored(cluster.partitions)
    boundary = open_with_a_boundary_soon(traffic)
    cluster.flush()
    cluster.await_all_taken([first])
    first.leaves()
    wait_until(boundary + 3_000)
    worker = cluster.worker().restored(cluster.partitions)
    await_a_cycle(cluster, worker, HOME)

    assert len(cycles(journal_of(cluster))) == 1
    assert worker.stop() == 0


def test_a_cold_restore_with_a_clock_days_ahead_charges_no_session_again(cluster: Cluster, skew: Skew) -> None:
    traffic = Traffic(cluster, seed=3)
    first = cluster.worker().restored(cluster.partitions)
    traffic.ask(opening(ACCOUNT))
    cluster.flush()
    traffic.say(interaction(ACCOUNT, "u-1"))
    cluster.flush()
    cluster.await_all_taken([first])
    cluster.await_true(lambda: _is_told(cluster, "u-1"), [first], 60, "no snapshot has the session")
    first.leaves()
    shutil.rmtree(cluster.data_dir())
    skew.set(10 * DAY_MS)
    with skewed(cluster, skew) as worker:
        traffic.say(interaction(ACCOUNT, "u-1", event_id="e-again"))
        cluster.flush()
        cluster.await_all_taken([worker])
        assert [event["type"] for event in journal_of(cluster)].count("session_started") == 1
        require_outputs(cluster)
        assert worker.stop() == 0


def _is_told(cluster: Cluster, end_user: str) -> bool:
    """Whether the journal has the session, and a snapshot was written after it."""
    sessions = [event for event in journal_of(cluster) if event.get("end_user_id") == end_user]
    written = cluster.read(cluster.topics.snapshots)[cluster.topics.snapshots.name, HOME]
    versions = [decode_snapshot(message.value() or b"")[0].version for message in written]
    return bool(sessions) and max(versions, default=0) >= sessions[0]["version"]
