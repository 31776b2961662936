"""Freshchat's webhooks and Rasa's events become interactions, in the shapes that their makers document."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from freshchat import Freshchat, server
from rasa import Rasa, consumer_of, follow

from botmeter.client import Client, Connection, InvalidMessage
from worker.cluster import Cluster

PAYLOADS = Path(__file__).parent / "payloads"
PATIENCE_S = 60


def recorded(name: str) -> list[Any]:
    lines = (PAYLOADS / f"{name}.ndjson").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_freshchat_messages_become_interactions_with_the_bot_that_the_chat_is_with() -> None:
    freshchat = Freshchat(["bot-agent-1"])
    found = [made for payload in recorded("freshchat") if (made := freshchat.interaction_of(payload)) is not None]

    assert [(one.event_id, one.actor, one.bot_id) for one in found] == [
        ("m-1", "end_user", "bot-agent-1"),
        ("m-2", "bot", "bot-agent-1"),
        ("m-4", "end_user", None),
        ("m-5", "end_user", "bot-agent-1"),
    ]
    assert {(one.account_id, one.conversation_id) for one in found} == {("shop", "conv-1")}
    assert found[0].occurred_at.isoformat() == "2026-11-23T10:00:00.398000+00:00"


def test_a_freshchat_message_without_what_is_needed_is_named() -> None:
    with pytest.raises(InvalidMessage, match=r"event_id: .*; account_id"):
        Freshchat([]).interaction_of({"action": "message_create", "data": {"message": {}}})


def test_rasa_events_of_both_forms_become_interactions() -> None:
    rasa = Rasa("shop", "helper")
    found = [made for event in recorded("rasa") if (made := rasa.interaction_of(event)) is not None]
    again = Rasa("shop", "helper")

    assert [(one.actor, one.bot_id, one.end_user_id, one.conversation_id) for one in found] == [
        ("end_user", "helper", "s-1", "s-1"),
        ("bot", "helper", "s-1", "s-1"),
        ("end_user", None, "s-1", "s-1"),
        ("end_user", "helper", "s-1", "s-1"),
        ("end_user", "helper", "u-2", "c-2"),
        ("bot", "helper", "u-2", "c-2"),
    ]
    assert [found[0].event_id, found[2].event_id, found[4].event_id] == ["a1b2c3", "d4e5f6", "ev-1"]
    assert found[0].occurred_at.isoformat() == "2026-11-24T09:00:01.617000+00:00"
    assert [again.interaction_of(event) for event in recorded("rasa") if event.get("event") == "bot"] == [found[1]]


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def address(connection: Connection, key: rsa.RSAPrivateKey) -> Iterator[str]:
    """Where the webhooks go."""
    with Client(connection) as client, server(0, key.public_key(), Freshchat(["bot-agent-1"]), client) as webhooks:
        thread = threading.Thread(target=webhooks.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{webhooks.server_port}/"
        webhooks.shutdown()
        thread.join()


def post(address: str, payload: object, key: rsa.RSAPrivateKey, signature: str | None = None) -> int:
    body = json.dumps(payload).encode()
    signed = base64.b64encode(key.sign(body, padding.PKCS1v15(), hashes.SHA256())).decode()
    headers = {"X-Freshchat-Signature": signature or signed}
    return httpx.post(address, content=body, headers=headers, timeout=PATIENCE_S).status_code


@pytest.mark.kafka
def test_webhooks_are_published_when_they_are_signed(address: str, cluster: Cluster, key: rsa.RSAPrivateKey) -> None:
    statuses = [post(address, payload, key) for payload in recorded("freshchat")]
    refused = [
        post(address, recorded("freshchat")[0], key, signature="bm9wZQ=="),
        post(address, {"action": "message_create", "data": {"message": {}}}, key),
        post(address, "hello", key),
    ]
    [published] = [records for records in cluster.read(cluster.topics.interactions).values() if records]

    assert set(statuses) == {200}
    assert refused == [401, 400, 400]
    assert [json.loads(record.value() or b"")["event_id"] for record in published] == ["m-1", "m-2", "m-4", "m-5"]


@pytest.mark.kafka
def test_rasas_topic_is_followed(cluster: Cluster, connection: Connection, topic_prefix: str) -> None:
    topic = f"{topic_prefix}rasa"
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1)])[topic].result(PATIENCE_S)
    events = recorded("rasa")
    producer = Producer({"bootstrap.servers": cluster.bootstrap_servers})
    for event in events:
        producer.produce(topic, json.dumps(event))
    assert producer.flush(PATIENCE_S) == 0
    with Client(connection) as client:
        consumer = consumer_of(cluster.bootstrap_servers, topic)
        follow(consumer, Rasa("shop", "helper"), client, events=len(events))
        consumer.close()
    [published] = [records for records in cluster.read(cluster.topics.interactions).values() if records]

    assert len(published) == 6
