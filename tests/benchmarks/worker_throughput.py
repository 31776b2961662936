"""Measures the worker on one partition: a backlog of interactions on a real Kafka, and how fast it is committed.

    .venv/bin/python tests/benchmarks/worker_throughput.py [--interactions 2000000] [--per-session 20]

The backlog is written first; then `botmeter worker` starts as a process of its own, and the group's committed offset is
watched. The rate counts from the first commit seen to the last, so neither start nor restore is in it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from botmeter.contracts.topics import Topics
from botmeter.embedded import EmbeddedKafka
from botmeter.kafka import clients
from botmeter.kafka.topic_setup import create_topics

ACCOUNTS = 100
PACKS = 1000  # a million sessions each: nobody runs out
TOPICS = Topics.named()


def main() -> None:
    """Runs once and prints the figures with their conditions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interactions", type=int, default=2_000_000, help="records in the backlog")
    parser.add_argument("--per-session", type=int, default=20, help="records of one end-user; every second is a bot's")
    chosen = parser.parse_args()
    with EmbeddedKafka(report=print) as broker, tempfile.TemporaryDirectory() as data_dir:
        admin = clients.make_admin(clients.admin_config({}, broker.bootstrap_servers))
        create_topics(admin, TOPICS.all(), partitions=1, replication_factor=1)
        write_backlog(broker.bootstrap_servers, chosen.interactions, chosen.per_session)
        seconds, counted = measure(broker.bootstrap_servers, Path(data_dir), chosen.interactions)
    sessions = chosen.interactions // chosen.per_session
    print(f"{counted / seconds:,.0f} interactions/s: {counted:,} in {seconds:.2f} s, one partition, one worker")
    print(f"{chosen.interactions:,} interactions, {sessions:,} sessions, {ACCOUNTS} accounts")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores shared with the broker, {platform.machine()}")


def write_backlog(bootstrap_servers: str, interactions: int, per_session: int) -> None:
    """Opens the accounts, then writes all interactions."""
    producer = clients.make_producer(clients.simple_producer_config({}, bootstrap_servers))
    for number in range(ACCOUNTS):
        for command in commands(f"account-{number}"):
            put(producer, TOPICS.commands.name, str(command["account_id"]), command)
    producer.flush()
    for account_id, interaction in traffic(interactions, per_session):
        put(producer, TOPICS.interactions.name, account_id, interaction)
    producer.flush()


def commands(account_id: str) -> Iterator[dict[str, object]]:
    """An account with sessions enough."""
    head = {"account_id": account_id, "issued_by": "benchmark"}
    yield {"type": "open_account", "command_id": "open", **head, "plan": "pro", "billing_cycle": "monthly"}
    yield {"type": "purchase_packs", "command_id": "buy", **head, "packs": PACKS}


def traffic(interactions: int, per_session: int) -> Iterator[tuple[str, dict[str, object]]]:
    """End-users in turn, `per_session` records each, interleaved so that many conversations are under way at once."""
    occurred_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    under_way = 2_000
    for number in range(interactions):
        group, place = divmod(number, under_way * per_session)
        user = group * under_way + place % under_way
        account_id = f"account-{user % ACCOUNTS}"
        yield (
            account_id,
            {
                "event_id": f"e-{number}",
                "account_id": account_id,
                "end_user_id": f"user-{user}",
                "bot_id": "bot-1",
                "conversation_id": f"conversation-{user}",
                "widget": "conversations",
                "actor": "bot" if place // under_way % 2 else "end_user",
                "preview": False,
                "occurred_at": occurred_at,
            },
        )


def put(producer: Producer, topic: str, key: str, value: dict[str, object]) -> None:
    """Writes one record; waits while the client's queue is full."""
    while True:
        try:
            producer.produce(topic, json.dumps(value, separators=(",", ":")).encode(), key.encode())
        except BufferError:
            producer.poll(0.1)
        else:
            return


def measure(bootstrap_servers: str, data_dir: Path, interactions: int) -> tuple[float, int]:
    """Seconds from the first commit seen to the last, and the interactions committed between them."""
    environment = {
        **os.environ,
        "BOTMETER_BOOTSTRAP_SERVERS": bootstrap_servers,
        "BOTMETER_PARTITIONS": "1",
        "BOTMETER_DATA_DIR": str(data_dir),
        "BOTMETER_WEB_PORT": "0",
    }
    observer = clients.make_consumer(clients.reader_config({}, bootstrap_servers, "botmeter"))
    command = [str(Path(sys.executable).with_name("botmeter")), "worker"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as worker:
        try:
            first_at, first = await_commit(observer, 1)
            last_at, last = await_commit(observer, interactions)
        finally:
            worker.send_signal(signal.SIGTERM)
    return last_at - first_at, last - first


def await_commit(observer: Consumer, at_least: int) -> tuple[float, int]:
    """When the group's committed offset came to `at_least`, and what it was then."""
    asked = [TopicPartition(TOPICS.interactions.name, 0)]
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        [committed] = observer.committed(asked, timeout=10)
        if committed.offset >= at_least:
            return time.monotonic(), committed.offset
        time.sleep(0.02)
    raise TimeoutError(f"the worker did not come to offset {at_least}")


if __name__ == "__main__":
    main()
