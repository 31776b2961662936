"""Accounts of every partition, written by clients of two families; the worker's pages count what was done."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer

from .cluster import Cluster
from .model import require_outputs
from .process import PATIENCE_S, WorkerProcess
from .traffic import Json, interaction, opening

pytestmark = pytest.mark.kafka

PARTITIONS: Final = 4
#: Of all lengths modulo four, which murmur2 treats each in its own way, and beyond ASCII.
ACCOUNTS: Final = [
    *(f"account-{'x' * (number % 7)}{number}" for number in range(44)),
    *("é", "東京", "Ω-1", "🙂", "a b", "acme/eu"),
]
NO_LAG: Final = {f'botmeter_lag_seconds{{partition="{number}"}}': 0.0 for number in range(PARTITIONS)}

#: Topic, key, value.
Written = tuple[str, str, bytes]
Publish = Callable[[str, Sequence[Written]], None]


def by_confluent_kafka(bootstrap_servers: str, records: Sequence[Written]) -> None:
    with Producer({"bootstrap.servers": bootstrap_servers, "partitioner": "murmur2_random"}) as producer:
        for topic, key, value in records:
            producer.produce(topic, value, key)
        assert producer.flush(PATIENCE_S) == 0


def by_aiokafka(bootstrap_servers: str, records: Sequence[Written]) -> None:
    async def publish() -> None:
        async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as producer:
            for topic, key, value in records:
                await producer.send(topic, value, key.encode())

    asyncio.run(publish())


CLIENTS: Final[dict[str, Publish]] = {"confluent_kafka": by_confluent_kafka, "aiokafka": by_aiokafka}


@pytest.fixture
def cluster(bootstrap_servers: str, topic_prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    """As everywhere, but with more partitions."""
    made = Cluster(bootstrap_servers, topic_prefix, tmp_path, PARTITIONS)
    yield made
    made.close()


def record(topic: str, fields: Json) -> Written:
    return topic, fields["account_id"], json.dumps(fields).encode()


def publish_all(cluster: Cluster) -> None:
    """Every second account is opened by one client, the others by the other; both speak for all of them."""
    for number, publish in enumerate(CLIENTS.values()):
        commands = [record(cluster.topics.commands.name, opening(account)) for account in ACCOUNTS[number::2]]
        publish(cluster.bootstrap_servers, commands)
    cluster.flush()
    for name, publish in CLIENTS.items():
        said = [interaction(account, f"user of {name}") for account in ACCOUNTS]
        publish(cluster.bootstrap_servers, [record(cluster.topics.interactions.name, each) for each in said])


def page(worker: WorkerProcess, path: str) -> str:
    """What the worker's own web server answers; its log names the port."""
    line = worker.hears("health and metrics at")
    found = re.search(r"localhost:(\d+)/health and /metrics", line)
    assert found, line
    connection = HTTPConnection("127.0.0.1", int(found[1]), timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status == 200, text
    finally:
        connection.close()
    return text


def metrics(worker: WorkerProcess) -> dict[str, float]:
    lines = [line for line in page(worker, "/metrics").splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def kinds(cluster: Cluster) -> Counter[str]:
    found = cluster.read(cluster.topics.journal, cluster.topics.command_results)
    return Counter(json.loads(message.value() or b"")["type"] for messages in found.values() for message in messages)


def test_the_worker_takes_what_either_client_writes_and_its_pages_count_it(cluster: Cluster) -> None:
    publish_all(cluster)
    worker = cluster.worker()
    cluster.await_all_taken([worker])

    assert [place for place, end in cluster.ends(cluster.topics.commands).items() if not end] == []
    assert set(cluster.ends(cluster.topics.dead_letters).values()) == {0}
    found = kinds(cluster)
    assert (found["accepted"], found["session_started"]) == (len(ACCOUNTS), 2 * len(ACCOUNTS))
    require_outputs(cluster)
    require_pages(cluster, worker)
    worker.leaves()
    require_no_lag_without_traffic(cluster)


def require_pages(cluster: Cluster, worker: WorkerProcess) -> None:
    """The counters follow the commit by a moment."""
    wanted = {
        "botmeter_commands_total": len(ACCOUNTS),
        'botmeter_interactions_total{outcome="started"}': 2 * len(ACCOUNTS),
        'botmeter_dead_letters_total{reason="wrong_partition"}': 0,
        'botmeter_tasks{status="running"}': PARTITIONS,
        "botmeter_failed_commits_total": 0,
        **NO_LAG,
    }
    cluster.await_true(
        lambda: wanted.items() <= metrics(worker).items(), [worker], PATIENCE_S, f"the metrics did not become {wanted}"
    )
    assert metrics(worker)["botmeter_transactions_total"] >= 1
    assert json.loads(page(worker, "/ready")) == {"status": "running"}
    health = json.loads(page(worker, "/health"))
    assert health["status"] == "running"
    assert {number: told["state"] for number, told in health["partitions"].items()} == {
        str(number): "running" for number in range(PARTITIONS)
    }


def require_no_lag_without_traffic(cluster: Cluster) -> None:
    """Of a worker that has taken nothing since its start, because there is nothing."""
    worker = cluster.worker()
    cluster.await_true(
        lambda: NO_LAG.items() <= metrics(worker).items(), [worker], PATIENCE_S, f"the metrics did not become {NO_LAG}"
    )
    assert [name for name in metrics(worker) if name.startswith("botmeter_taken_timestamp_seconds")] == []
    worker.leaves()
