"""A topic that is deleted, or deleted and made again, while a worker runs is named by it."""

from __future__ import annotations

import pytest

from botmeter.kafka import clients
from botmeter.kafka.topic_setup import create_topics

from .cluster import Cluster
from .process import PATIENCE_S

pytestmark = pytest.mark.kafka


def delete_alerts(cluster: Cluster) -> None:
    with clients.make_admin(clients.admin_config({}, cluster.bootstrap_servers)) as admin:
        [deleted] = admin.delete_topics([cluster.topics.alerts.name]).values()
        deleted.result(PATIENCE_S)


def test_an_output_that_was_deleted_ends_the_worker_with_what_to_do(cluster: Cluster) -> None:
    worker = cluster.worker().restored(cluster.partitions)
    delete_alerts(cluster)

    assert worker.ended() == 3, worker.said
    assert cluster.topics.alerts.name in worker.lines[-1]
    assert "run: botmeter topics create" in worker.lines[-1]


@pytest.mark.chaos
def test_an_output_that_was_made_anew_ends_the_worker_which_says_so(cluster: Cluster) -> None:
    worker = cluster.worker().restored(cluster.partitions)
    delete_alerts(cluster)
    with clients.make_admin(clients.admin_config({}, cluster.bootstrap_servers)) as admin:
        create_topics(admin, [cluster.topics.alerts], cluster.partitions, replication_factor=1)

    assert worker.ended() == 3, worker.said
    assert cluster.topics.alerts.name in worker.lines[-1]
