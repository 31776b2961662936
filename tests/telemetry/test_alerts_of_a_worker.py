"""The alerts of what goes wrong in a real worker on a real Kafka; each page is scraped from its port."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from botmeter.contracts.topics import partition_of
from worker.cluster import Cluster
from worker.traffic import interaction, opening

from .promtool import Scraped, needs_promtool, shown
from .test_live import becomes, cluster, port_of, value

__all__ = ["cluster"]  # a fixture
pytestmark = [pytest.mark.kafka, pytest.mark.chaos, needs_promtool]

LAG = "botmeter_lag_seconds"


def lag(page: str, partition: int) -> float:
    return value(page, LAG, partition=str(partition))


def test_a_producer_without_kafkas_partitioner_and_records_of_nobody(cluster: Cluster, tmp_path: Path) -> None:
    running = cluster.worker().restored(cluster.partitions)
    port = port_of(running)
    before = becomes(port, lambda page: "botmeter_last_commit_timestamp_seconds " in page)
    elsewhere = 1 - partition_of(b"nobody", cluster.partitions)
    for number in range(5):
        said = json.dumps(interaction("nobody", f"u-{number}")).encode()
        cluster.put(cluster.topics.interactions, "nobody", said)
        cluster.put(cluster.topics.interactions, "nobody", said, partition=elsewhere)
    cluster.flush()
    page = becomes(port, lambda page: value(page, "botmeter_dead_letters_total") == 10)
    assert value(page, "botmeter_dead_letters_total", reason="wrong_partition") == 5
    shown(
        tmp_path,
        Scraped("worker-0", before, page, time.time()),
        alerts={"BotmeterDeadLetters", "BotmeterWrongPartitioner"},
    )
    running.leaves()


def test_partitions_that_failed_and_their_lag(cluster: Cluster, tmp_path: Path) -> None:
    """A gap in the journal of each; what came after it waits."""
    names = {partition_of(name.encode(), 2): name for name in ("initech", "acme", "hooli", "stark")}
    assert len(names) == cluster.partitions
    journal = cluster.topics.journal
    for name in names.values():
        cluster.put(cluster.topics.commands, name, json.dumps(opening(name)).encode())
    cluster.flush()
    first = cluster.worker().restored(cluster.partitions)
    cluster.await_all_taken([first])
    first.leaves()
    for (_, number), records in cluster.read(journal).items():
        event = json.loads(records[-1].value() or b"")
        gap = json.dumps({**event, "version": event["version"] + 2}).encode()
        cluster.put(journal, records[-1].key(), gap, partition=number)
    for name in names.values():
        cluster.put(cluster.topics.interactions, name, json.dumps(interaction(name, "u-1")).encode())
    cluster.flush()
    second = cluster.worker()
    port = port_of(second)
    before = becomes(
        port,
        lambda page: value(page, "botmeter_partition_state", state="failed") == 2 and value(page, LAG) > 0,
    )
    page = becomes(port, lambda page: all(lag(page, number) > lag(before, number) for number in names))
    scraped = Scraped("worker-0", before, page, time.time())
    shown(tmp_path, scraped, alerts={"BotmeterPartitionFailed", "BotmeterNothingMetered", "BotmeterLag"})
    second.leaves()
