"""Any Kafka client can publish an interaction and read an alert: all put an account on the same partition."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka import Consumer, Producer

from .cluster import Cluster
from .process import PATIENCE_S
from .traffic import ACCOUNTS, interaction, opening

pytestmark = pytest.mark.kafka

#: As many sessions as bring an account of the tests' price book to its threshold of 80 %.
SESSIONS = 8


def records(cluster: Cluster) -> list[tuple[str, bytes, bytes]]:
    """Topic, key and value of what opens all accounts, and then of what brings them to their threshold."""
    topics = cluster.topics
    said = [interaction(account_id, f"u-{number}") for account_id in ACCOUNTS for number in range(SESSIONS)]
    asked = [opening(account_id) for account_id in ACCOUNTS]
    return [
        (topic.name, fields["account_id"].encode(), json.dumps(fields).encode())
        for topic, all_fields in ((topics.commands, asked), (topics.interactions, said))
        for fields in all_fields
    ]


def with_confluent_kafka(cluster: Cluster) -> list[Any]:
    """Publishes as librdkafka's clients do that ask for Java's partitioner; the alerts it reads."""
    producer = Producer({"bootstrap.servers": cluster.bootstrap_servers, "partitioner": "murmur2_random"})
    for topic, key, value in records(cluster):
        producer.produce(topic, value, key)
        assert producer.flush(PATIENCE_S) == 0
    consumer = Consumer(
        {
            "bootstrap.servers": cluster.bootstrap_servers,
            "group.id": f"{cluster.group}-notifier",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([cluster.topics.alerts.name])
    alerts: list[Any] = []
    while len(alerts) < len(ACCOUNTS):
        message = consumer.poll(PATIENCE_S)
        assert message is not None
        assert message.error() is None
        alerts.append(json.loads(message.value() or b""))
    consumer.close()
    return alerts


#: Publishes a record with a header whose name is no UTF-8, as clients in other languages may. Only the part of aiokafka
#: that is written in Python lets such a name through.
WITH_AN_ODD_HEADER = """
import asyncio, sys
from aiokafka import AIOKafkaProducer

class Name(str):
    def encode(self, *_):
        return b"tr\\xffce"

async def publish(servers, topic, key, *values):
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        for value in values:
            await producer.send_and_wait(topic, value.encode(), key.encode(), headers=[(Name("trace"), b"1")])

asyncio.run(publish(*sys.argv[1:]))
"""


def with_aiokafka(cluster: Cluster) -> list[Any]:
    """Publishes and reads as Faust's clients do, with their defaults."""

    async def publish_and_read() -> list[Any]:
        async with AIOKafkaProducer(bootstrap_servers=cluster.bootstrap_servers) as producer:
            for topic, key, value in records(cluster):
                await producer.send_and_wait(topic, value, key)
        async with AIOKafkaConsumer(
            cluster.topics.alerts.name,
            bootstrap_servers=cluster.bootstrap_servers,
            group_id=f"{cluster.group}-notifier",
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        ) as consumer:
            found = [await asyncio.wait_for(consumer.getone(), PATIENCE_S) for _ in ACCOUNTS]
        return [json.loads(record.value) for record in found]

    return asyncio.run(publish_and_read())


@pytest.mark.parametrize("publish_and_read", [with_confluent_kafka, with_aiokafka])
def test_a_client_publishes_interactions_and_reads_the_alerts(cluster: Cluster, publish_and_read: Any) -> None:
    worker = cluster.worker()
    alerts = publish_and_read(cluster)

    assert sorted((alert["type"], alert["account_id"], alert["percent"], alert["used"]) for alert in alerts) == [
        ("threshold_reached", account_id, 80, SESSIONS) for account_id in sorted(ACCOUNTS)
    ]
    assert alerts[0]["contacts"] == [f"admin@{alerts[0]['account_id']}.example"]
    assert cluster.ends(cluster.topics.dead_letters) == {0: 0, 1: 0}
    worker.leaves()


def test_a_header_whose_name_is_no_utf8_harms_neither_an_interaction_nor_a_dead_letter(cluster: Cluster) -> None:
    account_id, topics = ACCOUNTS[0], cluster.topics
    cluster.put(topics.commands, account_id, json.dumps(opening(account_id)).encode())
    cluster.flush()
    # Of each so many that the code which reads them has become hot, and Python has left checks out of it.
    said = [json.dumps(interaction(account_id, f"u-{number}")) for number in range(SESSIONS)]
    told = [cluster.bootstrap_servers, topics.interactions.name, account_id, *said, *["not JSON"] * 50, *said]
    environment = {**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"}
    subprocess.run([sys.executable, "-c", WITH_AN_ODD_HEADER, *told], env=environment, check=True, timeout=PATIENCE_S)
    worker = cluster.worker()
    cluster.await_all_taken([worker])
    worker.leaves()

    letters = [message for found in cluster.read(topics.dead_letters).values() for message in found]
    assert [letter.value() for letter in letters] == [b"not JSON"] * 50
    assert {dict(letter.headers() or [])["botmeter_truncated"] for letter in letters} == {b"true"}
    journal = [message for found in cluster.read(topics.journal).values() for message in found]
    assert [json.loads(message.value() or b"")["type"] for message in journal].count("session_started") == SESSIONS
