"""A cluster of several embedded brokers: copies, the death and return of one, ports that are advertised."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from botmeter.embedded import EmbeddedCluster
from botmeter.embedded.ports import free_ports

pytestmark = pytest.mark.kafka

#: An end to hanging, not a measure.
PATIENCE_S = 120


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster(brokers=3) as cluster:
        yield cluster


def placed(admin: AdminClient, topic: str) -> tuple[int, set[int]]:
    """The leader and the copies of a new topic's one partition; a broker takes a moment to hear of it."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := admin.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions):
        assert time.monotonic() < deadline
    return found[0].leader, set(found[0].replicas)


@pytest.mark.chaos
def test_every_broker_of_three_has_a_copy_and_any_one_may_die_and_return(cluster: EmbeddedCluster) -> None:
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    admin.create_topics([NewTopic("copied", num_partitions=1)])["copied"].result(PATIENCE_S)
    leader, copies = placed(admin, "copied")
    assert copies == {1, 2, 3}
    producer = Producer({"bootstrap.servers": cluster.bootstrap_servers, "transactional.id": "t", "log_level": 0})
    producer.init_transactions(PATIENCE_S)
    victim = cluster.nodes[leader - 1]

    victim.kill()
    assert victim.pid is None
    producer.begin_transaction()
    producer.produce("copied", b"while one is dead")
    producer.commit_transaction(PATIENCE_S)
    victim.start()

    consumer = Consumer({"bootstrap.servers": victim.bootstrap_servers, "group.id": "g", "log_level": 0})
    consumer.assign([TopicPartition("copied", 0, 0)])
    record = consumer.poll(PATIENCE_S)
    consumer.close()
    assert record is not None
    assert record.value() == b"while one is dead"


@pytest.mark.chaos
def test_clients_are_sent_to_the_advertised_port_and_past_it_where_they_ask_for_that() -> None:
    [elsewhere] = free_ports(1)
    with EmbeddedCluster(brokers=2, advertised_ports={2: elsewhere}) as pair:
        asked = AdminClient({"bootstrap.servers": pair.nodes[0].bootstrap_servers, "log_level": 0})
        past = AdminClient({"bootstrap.servers": pair.nodes[0].direct_servers, "log_level": 0})

        assert asked.list_topics(timeout=PATIENCE_S).brokers[2].port == elsewhere
        assert f"127.0.0.1:{past.list_topics(timeout=PATIENCE_S).brokers[2].port}" == pair.nodes[1].direct_servers
