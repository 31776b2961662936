"""A partition that cannot go on fails alone (F1): its worker and all others meter on, and say why it stands."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import pytest

from botmeter.contracts.topics import partition_of

from .cluster import Cluster
from .process import PATIENCE_S, WorkerProcess
from .traffic import Traffic, interaction, opening

pytestmark = pytest.mark.kafka

FAULTY: Final = [sys.executable, str(Path(__file__).with_name("faulty_worker.py"))]
#: One account on each partition.
ON: Final = {partition_of(name.encode(), 2): name for name in ("initech", "acme", "hooli", "stark")}


def break_the_journal(cluster: Cluster, number: int) -> None:
    """An event that follows none."""
    name = cluster.topics.journal.name
    last = cluster.read(cluster.topics.journal)[name, number][-1]
    event = json.loads(last.value() or b"")
    value = json.dumps({**event, "version": event["version"] + 2}).encode()
    cluster.put(cluster.topics.journal, last.key(), value, partition=number)
    cluster.flush()


def await_metered(cluster: Cluster, number: int, worker: WorkerProcess) -> None:
    end = cluster.ends(cluster.topics.interactions)[number]
    cluster.await_true(
        lambda: cluster.committed()[cluster.topics.interactions.name, number] == end,
        [worker],
        PATIENCE_S,
        f"partition {number} was not metered",
    )


def begin(cluster: Cluster) -> Traffic:
    """An account and some chats on each partition, metered by a worker that has left."""
    traffic = Traffic(cluster, seed=61)
    for name in ON.values():
        traffic.ask(opening(name))
    cluster.flush()
    for name in ON.values():
        traffic.say(interaction(name, "u-1"))
    cluster.flush()
    worker = cluster.worker()
    cluster.await_all_taken([worker])
    worker.leaves()
    return traffic


def test_a_gap_in_one_journal_fails_that_partition_wherever_it_goes_and_no_other(cluster: Cluster) -> None:
    traffic = begin(cluster)
    before = cluster.committed()
    break_the_journal(cluster, 0)
    for name in ON.values():
        traffic.say(interaction(name, "u-2"))
    cluster.flush()
    first = cluster.worker("first")
    line = first.hears("partition 0 FAILED, the others go on: the journal has a gap")
    assert line.endswith("run: botmeter partition restore-from 0 journal")
    await_metered(cluster, 1, first)

    second = cluster.worker("second")
    second.hears("assigned")
    first.leaves()
    second.hears("partition 0 FAILED, the others go on: the journal has a gap")
    second.hears("partition 1: (cold|warm) restore of")
    traffic.say(interaction(ON[1], "u-3"))
    cluster.flush()
    await_metered(cluster, 1, second)
    for place, offset in cluster.committed().items():
        assert place[1] == 1 or offset == before[place]
    second.leaves()


def test_a_bug_stops_its_partition_at_the_very_record_and_no_other(cluster: Cluster) -> None:
    traffic = begin(cluster)
    for number in range(40):
        for name in ON.values():
            traffic.say(interaction(name, f"u-{number}"))
    cluster.flush()
    topic = cluster.topics.interactions
    at = cluster.ends(topic)[0]
    traffic.say(interaction(ON[0], "u-bug"))
    for name in ON.values():
        traffic.say(interaction(name, "u-after"))
    cluster.flush()
    with WorkerProcess(cluster.environment("faulty", BUG="u-bug"), program=FAULTY) as worker:
        line = worker.hears("partition 0 FAILED, the others go on: ")
        assert f"the record {topic.name}@{at} cannot be taken: ZeroDivisionError: two and two are five" in line
        assert line.endswith(f"run: botmeter partition skip 0 {topic.name}@{at}")
        assert "Traceback (most recent call last):" in worker.said
        await_metered(cluster, 1, worker)
        assert cluster.committed()[topic.name, 0] == at
        worker.leaves()

    healed = cluster.worker("faulty")
    cluster.await_all_taken([healed])
    healed.leaves()
