"""`botmeter simulate` on a real Kafka: what it says it sent is there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter

import pytest
from confluent_kafka import TopicPartition

from botmeter.contracts.topics import Topics
from botmeter.kafka import clients, questions
from botmeter.kafka.topic_setup import create_topics
from botmeter.simulation.accounts import population
from botmeter.simulation.records import SimulatedRecord, command_record
from botmeter.simulation.traffic import Traffic
from simulation.metering import TOPICS, meter

pytestmark = pytest.mark.kafka

PARTITIONS = 4
#: An end to hanging, not a measure.
PATIENCE_S = 300


@pytest.fixture
def topics(topic_prefix: str, bootstrap_servers: str) -> Topics:
    topics = Topics.named(topic_prefix, f"{topic_prefix}interactions", f"{topic_prefix}commands")
    with clients.make_admin(clients.admin_config({}, bootstrap_servers)) as admin:
        create_topics(admin, (topics.interactions, topics.commands, topics.journal), PARTITIONS, 1)
    return topics


def arguments(*options: str) -> list[str]:
    return [sys.executable, "-c", "from botmeter.cli import main; main()", "simulate", *options]


def environment(topics: Topics, bootstrap_servers: str, topic_prefix: str) -> dict[str, str]:
    return {
        **os.environ,
        "BOTMETER_BOOTSTRAP_SERVERS": bootstrap_servers,
        "BOTMETER_PARTITIONS": str(PARTITIONS),
        "BOTMETER_TOPIC_PREFIX": topic_prefix,
        "BOTMETER_INTERACTIONS_TOPIC": topics.interactions.name,
        "BOTMETER_COMMANDS_TOPIC": topics.commands.name,
    }


def ends(topics: Topics, bootstrap_servers: str) -> tuple[int, int]:
    """How many records the two topics hold."""
    with clients.make_admin(clients.admin_config({}, bootstrap_servers)) as admin:
        interactions, commands = (
            sum(questions.end_offsets(admin, topic.name, range(PARTITIONS)).values())
            for topic in (topics.interactions, topics.commands)
        )
    return interactions, commands


def values(topic: str, bootstrap_servers: str) -> list[bytes | None]:
    consumer = clients.make_consumer(clients.reader_config({}, bootstrap_servers, "reader"))
    with clients.make_admin(clients.admin_config({}, bootstrap_servers)) as admin:
        ends = questions.end_offsets(admin, topic, range(PARTITIONS))
    consumer.assign([TopicPartition(topic, number, 0) for number in ends])
    found: list[bytes | None] = []
    while len(found) < sum(ends.values()):
        record = consumer.poll(PATIENCE_S)
        assert record is not None, "the broker gives no more records"
        if record.error() is None:
            found.append(record.value())
    consumer.close()
    return found


def test_the_records_counted_are_the_records_there(topics: Topics, bootstrap_servers: str, topic_prefix: str) -> None:
    ran = subprocess.run(
        arguments("--count", "3000", "--rate", "100000", "--accounts", "12", "--bad-share", "0.02", "--day", "0"),
        env=environment(topics, bootstrap_servers, topic_prefix),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    first, *rest = ran.stdout.splitlines()
    sent = Counter({kind: int(count.replace(",", "")) for count, kind in (line.split(maxsplit=1) for line in rest)})
    interactions, commands = ends(topics, bootstrap_servers)
    assert int(first.split()[0].replace(",", "")) == sent.total() == interactions + commands
    assert sent["command"] + sent["unreadable command"] == commands
    readable = [json.loads(value) for value in values(topics.commands.name, bootstrap_servers) if value]
    assert sum(command["type"] == "open_account" for command in readable) == 13


def test_ctrl_c_ends_it_with_a_summary(topics: Topics, bootstrap_servers: str, topic_prefix: str) -> None:
    with subprocess.Popen(
        arguments("--rate", "500"),
        env=environment(topics, bootstrap_servers, topic_prefix),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        assert any("sent" in line for line in running.stderr)  # traffic flows
        running.send_signal(signal.SIGINT)
        stdout, _ = running.communicate(timeout=PATIENCE_S)

    assert running.returncode == 130
    assert "records in" in stdout


def test_a_missing_topic_is_named_with_what_mends_it(bootstrap_servers: str, topic_prefix: str) -> None:
    nowhere = Topics.named(topic_prefix, f"{topic_prefix}nowhere", f"{topic_prefix}commands")
    ran = subprocess.run(
        arguments("--count", "1"),
        env=environment(nowhere, bootstrap_servers, topic_prefix),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert ran.returncode == 3
    assert f"topic {topic_prefix}nowhere is missing; run: botmeter topics create" in ran.stderr


def keep_journal_of(records: list[SimulatedRecord], topics: Topics, bootstrap_servers: str) -> None:
    """Writes what a worker would have written to the journal."""
    config = clients.simple_producer_config({}, bootstrap_servers)
    with clients.make_producer(config) as producer:
        for output in meter(records):
            if output.topic == TOPICS.journal.name:
                producer.produce(topics.journal.name, output.value, output.key)
        assert producer.flush(PATIENCE_S) == 0


def simulated(topics: Topics, bootstrap_servers: str, topic_prefix: str, *options: str) -> tuple[int, str]:
    ran = subprocess.run(
        arguments("--count", "10", "--rate", "100000", "--accounts", "2", "--day", "0", *options),
        env=environment(topics, bootstrap_servers, topic_prefix),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return ran.returncode, ran.stderr


def test_a_cluster_with_accounts_of_others_is_refused_unless_that_is_meant(
    topics: Topics, bootstrap_servers: str, topic_prefix: str
) -> None:
    opening = Traffic(1, population(3), TOPICS, PARTITIONS).opening()
    keep_journal_of(opening, topics, bootstrap_servers)
    code, stderr = simulated(topics, bootstrap_servers, topic_prefix)
    assert code == 0, stderr  # the accounts of a simulation are no hindrance
    sent = ends(topics, bootstrap_servers)

    fields: dict[str, object] = {"type": "open_account", "plan": "growth", "billing_cycle": "monthly"}
    keep_journal_of([command_record(TOPICS.commands.name, "real", "k-1", "crm", fields)], topics, bootstrap_servers)
    code, stderr = simulated(topics, bootstrap_servers, topic_prefix)
    assert code == 2
    [line] = stderr.splitlines()
    assert "holds the account 'real', which no simulation opened" in line
    assert "--among-others" in line
    assert ends(topics, bootstrap_servers) == sent, "nothing was published"

    code, stderr = simulated(topics, bootstrap_servers, topic_prefix, "--among-others")
    assert code == 0, stderr
    assert ends(topics, bootstrap_servers) != sent
