"""The broker's clock is what limits and cycles rest on (S7, C3); a record without its time fails its partition."""

from __future__ import annotations

import pytest

from botmeter.contracts.topics import partition_of

from .cluster import Cluster
from .outage import alter
from .traffic import Traffic, interaction

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
