"""The broker's clock is what limits and cycles rest on (S7, C3); a record without its time stops the worker."""

from __future__ import annotations

import pytest

from .cluster import Cluster
from .outage import alter
from .traffic import Traffic

pytestmark = pytest.mark.kafka


def test_a_record_that_carries_its_producers_time_stops_the_worker_which_names_it(cluster: Cluster) -> None:
    """It was written before somebody set the topic right, which is all that the check at the start sees."""
    traffic, topic = Traffic(cluster, seed=51), cluster.topics.interactions
    traffic.open_accounts()
    alter(cluster, topic, "message.timestamp.type", "CreateTime")
    traffic.run(interactions=30)
    cluster.flush()
    alter(cluster, topic, "message.timestamp.type", "LogAppendTime")
    worker = cluster.worker()

    assert worker.ended() == 3, worker.said
    assert f"{topic.name}, partition " in worker.lines[-1]
    assert "offset 0: the record carries its producer's time" in worker.lines[-1]
