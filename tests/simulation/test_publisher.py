"""The publisher: nothing is lost without being counted."""

from __future__ import annotations

import pytest
from confluent_kafka.cimpl import NewTopic

from botmeter.kafka import clients, questions
from botmeter.simulation.publisher import Publisher
from botmeter.simulation.records import SimulatedRecord

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic(topic_prefix: str, bootstrap_servers: str) -> str:
    """One partition, which takes small records only."""
    name = f"{topic_prefix}small"
    with clients.make_admin(clients.admin_config({}, bootstrap_servers)) as admin:
        new = NewTopic(name, num_partitions=1, replication_factor=1, config={"max.message.bytes": "1000"})
        admin.create_topics([new])[name].result(30)
    return name


def records_in(topic: str, bootstrap_servers: str) -> int:
    with clients.make_admin(clients.admin_config({}, bootstrap_servers)) as admin:
        return questions.end_offsets(admin, topic, [0])[0]


def test_what_the_broker_refuses_is_counted_with_its_reason(topic: str, bootstrap_servers: str) -> None:
    publisher = Publisher(clients.simple_producer_config({"compression.type": "none"}, bootstrap_servers))
    publisher.publish([SimulatedRecord(topic, b"acme", b"x" * 5_000, None, "too large")])
    publisher.flush()
    publisher.close()

    assert publisher.sent == {"too large": 1}
    [(reason, count)] = publisher.failed.items()
    assert count == 1
    assert reason.startswith(f"{topic}: ")
    assert "too large" in reason


def test_a_full_queue_is_waited_for(topic: str, bootstrap_servers: str) -> None:
    config = clients.simple_producer_config({"queue.buffering.max.messages": "10"}, bootstrap_servers)
    publisher = Publisher(config)
    publisher.publish(SimulatedRecord(topic, b"acme", b"%d" % number, None, "small") for number in range(500))
    publisher.flush()
    publisher.close()

    assert not publisher.failed
    assert records_in(topic, bootstrap_servers) == 500
