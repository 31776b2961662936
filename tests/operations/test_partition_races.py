"""A partition that stood with one worker moves to another, which begins to meter it while somebody rescues it.

Of the two one takes place, wherever the other worker is by then.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final, Self

import pytest

from worker.cluster import PARTITIONS, Cluster
from worker.outage import make_anew
from worker.process import PATIENCE_S, WorkerProcess
from worker.test_failed_partition import begin

from .test_partition import SIGNED, await_all, await_told, balances, run, started

pytestmark = pytest.mark.kafka

PAUSED: Final = [sys.executable, str(Path(__file__).parents[1] / "worker" / "paused_worker.py")]
#: Nothing ends because the machine is slow.
PATIENT: Final = {"BOTMETER_TRANSACTION_TIMEOUT_MS": "60000"}


class Race:
    """Journal and snapshots are gone, which one worker knew by its store and stood; the next one knows nothing."""

    def __init__(self, cluster: Cluster, where: str) -> None:
        self.cluster, self.traffic = cluster, begin(cluster)
        self.before = balances(cluster)
        for topic in (cluster.topics.journal, cluster.topics.snapshots):
            make_anew(cluster, topic)
        worker = cluster.worker()
        for number in range(PARTITIONS):
            await_told(cluster, worker, number)
        worker.leaves()
        self._until = cluster.directory / "go-on"
        told = cluster.environment("next", PAUSE=where, UNTIL=str(self._until), **PATIENT)
        self.next = WorkerProcess(told, program=PAUSED)

    def __enter__(self) -> Self:
        self.next.hears("^paused")
        return self

    def __exit__(self, *_: object) -> None:
        self.next.kill()

    def go_on(self) -> None:
        self._until.touch()


def has_begun_to_record(cluster: Cluster, rescue: subprocess.Popen[str], before: int) -> bool:
    assert rescue.poll() is None, rescue.communicate()
    return cluster.ends(cluster.topics.rules)[0] > before


def require_all_is_decided_again(race: Race) -> None:
    cluster = race.cluster
    await_all(cluster, race.traffic, race.next, *(f"partition {n} verified from an accepted loss on" for n in range(2)))
    after = balances(cluster)
    assert {name: used - 1 for name, used in after.items()} == race.before, "a session was charged again, or forgotten"


def test_a_restore_that_began_before_a_rescue_commits_nothing(cluster: Cluster) -> None:
    with Race(cluster, "offsets") as race:
        for number in range(PARTITIONS):
            rescued = run(cluster, "restore-from", str(number), "journal", *SIGNED)
            assert rescued.returncode == 0, rescued.stderr

        race.go_on()
        race.next.hears("a partition was rescued since its last restore")
        require_all_is_decided_again(race)


@pytest.mark.chaos
def test_a_rescue_waits_for_a_first_commit_under_way_which_gives_way(cluster: Cluster) -> None:
    with Race(cluster, "look") as race:
        before = cluster.ends(cluster.topics.rules)[0]
        rescue = started(cluster, "partition", "restore-from", "0", "journal", *SIGNED)
        cluster.await_true(
            lambda: has_begun_to_record(cluster, rescue, before), [race.next], PATIENCE_S, "it was not recorded"
        )
        race.go_on()
        race.next.hears("a partition was rescued since its last restore")
        _, faults = rescue.communicate(timeout=PATIENCE_S)
        assert rescue.returncode == 0, faults
        assert run(cluster, "status", "0").stdout.count("rescued") == 1


@pytest.mark.chaos
def test_a_rescue_that_comes_after_the_look_of_a_first_commit_is_taken_back(cluster: Cluster) -> None:
    with Race(cluster, "after") as race:
        before = cluster.ends(cluster.topics.rules)[0]
        rescue = started(cluster, "partition", "restore-from", "0", "journal", *SIGNED)
        cluster.await_true(
            lambda: has_begun_to_record(cluster, rescue, before), [race.next], PATIENCE_S, "it was not recorded"
        )
        race.go_on()
        _, faults = rescue.communicate(timeout=PATIENCE_S)
        assert rescue.returncode == 2
        assert "partition 0 was metered meanwhile; nothing was done" in faults
        assert run(cluster, "status", "0").stdout.count("rescued") == 0
        race.next.leaves()
