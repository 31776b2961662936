"""The broker's clock is what limits and cycles rest on (S7, C3); a record without its time fails its partition."""

from __future__ import annotations

from pathlib import Path

import pytest

from botmeter.contracts.topics import partition_of
from botmeter.embedded import EmbeddedKafka

from .cluster import Cluster
from .model import require_outputs
from .outage import alter
from .test_timer import wait_until
from .traffic import Traffic, interaction, now_ms

pytestmark = pytest.mark.kafka


def test_a_record_that_carries_its_producers_time_fails_its_partition_at_it_and_all_before_it_is_metered(
    cluster: Cluster,
) -> None:
    """It was written before somebody set the topic right, which is all that the check at the start sees."""
    traffic, topic = Traffic(cluster, seed=51), cluster.topics.interactions
    traffic.open_accounts()
    traffic.run(interactions=200)
    cluster.flush()
    number = partition_of(b"acme", cluster.partitions)
    at = cluster.ends(topic)[number]
    alter(cluster, topic, "message.timestamp.type", "CreateTime")
    traffic.say(interaction("acme", "u-1"))
    cluster.flush()
    alter(cluster, topic, "message.timestamp.type", "LogAppendTime")
    traffic.run(interactions=100)
    cluster.flush()
    worker = cluster.worker()

    line = worker.hears(f"partition {number} FAILED, the others go on: {topic.name}, partition {number}, offset {at}: ")
    assert "the record carries its producer's time; set message.timestamp.type=LogAppendTime" in line
    assert line.endswith(f"run: botmeter partition skip {number} {topic.name}@{at}")
    end = cluster.ends(topic)[1 - number]
    cluster.await_true(
        lambda: cluster.committed()[topic.name, 1 - number] == end, [worker], 60, "the other partition was not metered"
    )
    assert cluster.committed()[topic.name, number] == at
    worker.leaves()


@pytest.mark.chaos
def test_a_cluster_that_refuses_old_records_takes_the_journal_all_the_same(topic_prefix: str, tmp_path: Path) -> None:
    """An event has its own time, and what waited is older than the cluster lets records be by default."""
    oldest = {"log.message.timestamp.before.max.ms": "1000"}
    with EmbeddedKafka(properties=oldest) as broker:
        cluster = Cluster(broker.bootstrap_servers, topic_prefix, tmp_path)
        traffic = Traffic(cluster, seed=52)
        traffic.open_accounts()
        traffic.run(interactions=50)
        cluster.flush()
        wait_until(now_ms() + 2_000)
        worker = cluster.worker()
        cluster.await_all_taken([worker])
        worker.leaves()
        require_outputs(cluster)
        cluster.close()
