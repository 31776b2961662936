"""The offsets a worker commits are those from which the next one can go on, however long nothing comes."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import OFFSET_END, TopicPartition

from botmeter.kafka import clients

from .cluster import Cluster
from .process import PATIENCE_S
from .traffic import ACCOUNTS, Traffic, interaction

pytestmark = pytest.mark.kafka


def test_offsets_are_committed_at_the_start_also_where_nothing_comes(cluster: Cluster) -> None:
    """Else the group would forget those of a partition that is idle for a week, and nobody could go on there."""
    worker = cluster.worker()
    cluster.await_true(lambda: set(cluster.committed().values()) == {0}, [worker], PATIENCE_S, "nothing was committed")
    worker.leaves()


def test_what_is_committed_at_the_end_is_past_the_control_records_of_transactions(cluster: Cluster) -> None:
    """They are deleted in time like all records; an offset below the first that is left is none to start from."""
    traffic, interactions = Traffic(cluster, seed=31), cluster.topics.interactions
    traffic.open_accounts()
    worker = cluster.worker()
    config = clients.producer_config({}, cluster.bootstrap_servers, f"{cluster.group}-chats", 60_000)
    with clients.make_producer(config) as chats:
        chats.init_transactions(PATIENCE_S)
        chats.begin_transaction()
        for account_id in ACCOUNTS:
            chats.produce(interactions.name, json.dumps(interaction(account_id, "u-1")), account_id)
        chats.commit_transaction(PATIENCE_S)
    cluster.await_all_taken([worker])
    worker.leaves()
    delete_all_records(cluster, interactions.name)
    following = cluster.worker().restored(cluster.partitions)
    traffic.run(interactions=20)
    cluster.flush()
    cluster.await_all_taken([following])
    following.leaves()


def delete_all_records(cluster: Cluster, topic: str) -> None:
    """As retention does in time."""
    everything = [TopicPartition(topic, number, OFFSET_END) for number in range(cluster.partitions)]
    with clients.make_admin(clients.admin_config({}, cluster.bootstrap_servers)) as admin:
        for answer in admin.delete_records(everything).values():
            answer.result(PATIENCE_S)
