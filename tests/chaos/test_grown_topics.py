"""A topic that somebody gives more partitions while a worker runs: the new one stands, the others go on."""

from __future__ import annotations

from typing import Final

import pytest
from confluent_kafka.cimpl import NewPartitions

from botmeter.kafka import clients
from worker.load import await_progress
from worker.process import PATIENCE_S

from .installation import PARTITIONS, Installation

pytestmark = [pytest.mark.kafka, pytest.mark.chaos]

#: By default, a client looks once in five minutes.
WATCHFUL: Final = {"BOTMETER_KAFKA__TOPIC_METADATA_REFRESH_INTERVAL_MS": "1000"}


def grow(cluster: Installation) -> None:
    """The interactions have one more partition, as of somebody who wants more throughput."""
    with clients.make_admin(clients.admin_config({}, cluster.bootstrap_servers)) as admin:
        asked = [NewPartitions(cluster.topics.interactions.name, PARTITIONS + 1)]
        for grown in admin.create_partitions(asked).values():
            grown.result(PATIENCE_S)


def test_a_new_partition_is_failed_by_name_and_the_others_go_on(cluster: Installation) -> None:
    with cluster.load(8):
        worker = cluster.fragile_worker("worker", **WATCHFUL).restored(cluster.partitions)
        await_progress(cluster, [worker])
        grow(cluster)
        said = worker.hears(f"partition {PARTITIONS} FAILED")
        await_progress(cluster, [worker])

    cluster.await_all_taken([worker])
    worker.leaves()
    refused = cluster.fragile_worker("worker")

    assert f"partition {PARTITIONS} of {cluster.topics.interactions.name} is new" in said
    assert f"the number of partitions is for good, {PARTITIONS} here" in said
    assert "the lag is not known" not in worker.said
    assert refused.ended() == 3, refused.said
    assert f"the number of partitions is {PARTITIONS + 1}, should be {PARTITIONS}" in refused.said
    cluster.require_sound()
