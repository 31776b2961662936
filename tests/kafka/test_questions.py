"""What a real broker answers about offsets and the identity of topics."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from botmeter.errors import ClusterError
from botmeter.kafka.clients import admin_config, make_admin, make_producer, producer_config, simple_producer_config
from botmeter.kafka.questions import begin_offsets, end_offsets, offsets_at, topic_ids, wait_for_broker

pytestmark = pytest.mark.kafka


@pytest.fixture
def admin(bootstrap_servers: str) -> Iterator[AdminClient]:
    with make_admin(admin_config({}, bootstrap_servers)) as client:
        yield client


@pytest.fixture
def topic(admin: AdminClient, topic_prefix: str) -> str:
    name = f"{topic_prefix}topic"
    create(admin, name)
    return name


def create(admin: AdminClient, name: str) -> None:
    [made] = admin.create_topics([NewTopic(name, num_partitions=2)]).values()
    made.result()
    topic_ids(admin, [name])  # waits until the broker knows it


def delivered(producer: Producer) -> None:
    assert producer.flush(30) == 0


def test_a_broker_that_is_there_is_not_waited_for(bootstrap_servers: str) -> None:
    def lines() -> list[str]:
        told: list[str] = []
        wait_for_broker(admin_config({}, bootstrap_servers), 60, told.append)
        return told

    # A busy machine may keep an answer back until the broker is spoken of, but not every time.
    assert [] in (lines() for _ in range(10))


def test_an_empty_partition_begins_and_ends_at_zero(admin: AdminClient, topic: str) -> None:
    assert begin_offsets(admin, topic, [0, 1]) == {0: 0, 1: 0}
    assert end_offsets(admin, topic, [0, 1]) == {0: 0, 1: 0}
    assert offsets_at(admin, topic, [0, 1], timestamp_ms=0) == {0: 0, 1: 0}


def test_no_partitions_are_no_question(admin: AdminClient) -> None:
    assert end_offsets(admin, "no.such.topic", []) == {}


def test_a_time_is_the_first_record_at_or_after_it_or_the_end(
    admin: AdminClient, topic: str, bootstrap_servers: str
) -> None:
    with make_producer(simple_producer_config({}, bootstrap_servers)) as producer:
        for timestamp_ms in (1_000, 2_000, 3_000):
            producer.produce(topic, b"value", partition=1, timestamp=timestamp_ms)
            delivered(producer)  # one batch each: the broker finds times by batch first

        assert offsets_at(admin, topic, [0, 1], timestamp_ms=1_500) == {0: 0, 1: 1}
        assert offsets_at(admin, topic, [1], timestamp_ms=2_000) == {1: 1}
        assert offsets_at(admin, topic, [1], timestamp_ms=3_001) == {1: 3}


def test_the_end_is_past_an_open_transaction(
    admin: AdminClient, topic: str, bootstrap_servers: str, topic_prefix: str
) -> None:
    config = producer_config({}, bootstrap_servers, f"{topic_prefix}id", transaction_timeout_ms=15_000)
    with make_producer(config) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        producer.produce(topic, b"value", partition=0)
        delivered(producer)

        assert end_offsets(admin, topic, [0]) == {0: 1}


def test_a_topic_that_is_not_there_is_named(admin: AdminClient, topic_prefix: str) -> None:
    missing = f"{topic_prefix}missing"

    with pytest.raises(ClusterError, match=f"^{missing}: .*botmeter topics create$"):
        topic_ids(admin, [missing])


def test_a_topic_made_again_has_another_id(admin: AdminClient, topic: str) -> None:
    before = topic_ids(admin, [topic])
    [deleted] = admin.delete_topics([topic]).values()
    deleted.result()
    create(admin, topic)
    deadline = time.monotonic() + 30
    while (after := topic_ids(admin, [topic])) == before:  # the broker may not have heard of the controller's news
        assert time.monotonic() < deadline

    assert before.keys() == after.keys() == {topic}
