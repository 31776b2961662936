"""Topics on a real broker: created once, checked ever after, altered only when told to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic

from botmeter.contracts.topics import Topic, Topics
from botmeter.errors import ClusterError
from botmeter.kafka.clients import admin_config, make_admin
from botmeter.kafka.questions import topic_ids
from botmeter.kafka.topic_setup import Finding, check_topics, create_topics, fix_settings, require_topics

pytestmark = pytest.mark.kafka

PARTITIONS = 3


@pytest.fixture
def admin(bootstrap_servers: str) -> Iterator[AdminClient]:
    with make_admin(admin_config({}, bootstrap_servers)) as client:
        yield client


@pytest.fixture
def topics(topic_prefix: str) -> Topics:
    return Topics.named(topic_prefix, f"{topic_prefix}chat.interactions", f"{topic_prefix}billing.commands")


def create(admin: AdminClient, topics: Topics) -> list[Finding]:
    return create_topics(admin, topics.all(), PARTITIONS, replication_factor=-1)


def make(admin: AdminClient, topic: Topic, config: dict[str, str], partitions: int = PARTITIONS) -> None:
    """A topic that somebody made by other means, with what is wrong about it."""
    new = NewTopic(topic.name, num_partitions=partitions, config={**topic.config, **config})
    [made] = admin.create_topics([new]).values()
    made.result()
    topic_ids(admin, [topic.name])  # waits until the broker knows it


def differences(findings: list[Finding]) -> list[str]:
    return [f"{finding.topic}: {difference}" for finding in findings for difference in finding.differences]


def botmeter(bootstrap_servers: str, prefix: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOTMETER_")}
    settings = {
        "BOTMETER_BOOTSTRAP_SERVERS": bootstrap_servers,
        "BOTMETER_TOPIC_PREFIX": prefix,
        "BOTMETER_INTERACTIONS_TOPIC": f"{prefix}chat.interactions",
        "BOTMETER_COMMANDS_TOPIC": f"{prefix}billing.commands",
        "BOTMETER_PARTITIONS": str(PARTITIONS),
    }
    return subprocess.run(
        [sys.executable, "-c", "import botmeter.cli; botmeter.cli.main()", "topics", "create", *options],
        env=inherited | settings | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What it said on its standard error, but that a busy broker was waited for."""
    return [line for line in done.stderr.splitlines() if "cannot reach Kafka" not in line]


def test_missing_topics_are_created_and_well_afterwards(admin: AdminClient, topics: Topics) -> None:
    names = [topic.name for topic in topics.all()]

    assert [(found.topic, found.state) for found in create(admin, topics)] == [(name, "created") for name in names]
    assert [(found.topic, found.state) for found in create(admin, topics)] == [(name, "ok") for name in names]
    require_topics(admin, topics.all(), PARTITIONS)


def test_a_missing_topic_is_created_beside_those_that_exist(admin: AdminClient, topics: Topics) -> None:
    make(admin, topics.commands, {})

    states = {found.topic: found.state for found in create(admin, topics)}

    assert states.pop(topics.commands.name) == "ok"
    assert set(states.values()) == {"created"}


def test_checking_creates_nothing(admin: AdminClient, topics: Topics) -> None:
    for _ in range(2):
        assert {found.state for found in check_topics(admin, topics.all(), PARTITIONS)} == {"missing"}


def test_the_worker_is_told_the_first_topic_that_is_missing(admin: AdminClient, topics: Topics) -> None:
    make(admin, topics.interactions, {})

    with pytest.raises(ClusterError) as caught:
        require_topics(admin, topics.all(), PARTITIONS)

    assert str(caught.value) == f"topic {topics.commands.name} is missing; run: botmeter topics create"


@pytest.mark.parametrize(
    ("field", "option", "value", "wanted"),
    [
        ("interactions", "message.timestamp.type", "CreateTime", "LogAppendTime"),
        ("commands", "message.timestamp.type", "CreateTime", "LogAppendTime"),
        ("journal", "retention.ms", "604800000", "-1"),
        ("journal", "cleanup.policy", "compact", "delete"),
        ("snapshots", "cleanup.policy", "compact,delete", "compact"),
        ("dead_letters", "max.message.bytes", "1048588", "4194304"),
    ],
)
def test_what_would_make_billing_wrong_stops_the_worker_and_is_left_as_it_is(
    field: str, option: str, value: str, wanted: str, admin: AdminClient, topics: Topics
) -> None:
    topic: Topic = getattr(topics, field)
    make(admin, topic, {option: value})

    for _ in range(2):  # the second time shows that the first altered nothing
        assert differences(create(admin, topics)) == [f"{topic.name}: {option} is {value}, should be {wanted}"]
    with pytest.raises(ClusterError) as caught:
        require_topics(admin, topics.all(), PARTITIONS)

    assert str(caught.value).startswith(f"topic {topic.name}: {option} is {value}, should be {wanted}; ")


def test_another_number_of_partitions_stops_the_worker(admin: AdminClient, topics: Topics) -> None:
    make(admin, topics.commands, {}, partitions=PARTITIONS + 1)

    [difference] = [difference for found in create(admin, topics) for difference in found.differences]

    assert str(difference) == "the number of partitions is 4, should be 3"
    assert "BOTMETER_PARTITIONS=4" in difference.remedy("broker:9092")
    with pytest.raises(ClusterError, match="the number of partitions is 4, should be 3"):
        require_topics(admin, topics.all(), PARTITIONS)


def test_partitions_that_an_output_was_given_later_stay_empty_and_stop_nothing(
    admin: AdminClient, topics: Topics
) -> None:
    make(admin, topics.balances, {}, partitions=PARTITIONS + 1)

    assert differences(create(admin, topics)) == [f"{topics.balances.name}: the number of partitions is 4, should be 3"]
    require_topics(admin, topics.all(), PARTITIONS)


def test_a_shorter_memory_for_readers_is_told_but_does_not_stop_the_worker(admin: AdminClient, topics: Topics) -> None:
    make(admin, topics.alerts, {"retention.ms": "1000"})

    assert differences(create(admin, topics)) == [
        f"{topics.alerts.name}: retention.ms is 1000, should be {topics.alerts.config['retention.ms']}"
    ]
    require_topics(admin, topics.all(), PARTITIONS)


def test_more_room_and_a_longer_memory_than_wanted_are_well(admin: AdminClient, topics: Topics) -> None:
    make(admin, topics.alerts, {"retention.ms": "-1", "max.message.bytes": "20000000"})
    make(admin, topics.handoffs, {"retention.ms": "9000000000"})

    assert differences(create(admin, topics)) == []


def test_more_replicas_than_brokers_are_refused_with_the_setting(admin: AdminClient, topics: Topics) -> None:
    with pytest.raises(ClusterError, match="BOTMETER_REPLICATION_FACTOR"):
        create_topics(admin, [topics.alerts], PARTITIONS, replication_factor=9)


def test_a_configuration_the_broker_does_not_know_is_refused(admin: AdminClient, topics: Topics) -> None:
    strange = replace(topics.alerts, config={"cleanup.policy": "shred"})

    with pytest.raises(ClusterError, match=strange.name):
        create_topics(admin, [strange], PARTITIONS, replication_factor=-1)


def test_the_command_creates_and_then_finds_everything_well(bootstrap_servers: str, topic_prefix: str) -> None:
    first = botmeter(bootstrap_servers, topic_prefix)
    second = botmeter(bootstrap_servers, topic_prefix)

    assert [(done.returncode, complaints(done)) for done in (first, second)] == [(0, []), (0, [])]
    assert [line.split()[1] for line in first.stdout.splitlines()] == ["created"] * len(Topics.named().all())
    assert [line.split()[1] for line in second.stdout.splitlines()] == ["ok"] * len(Topics.named().all())


def test_the_command_says_what_differs_and_what_mends_it(
    admin: AdminClient, topics: Topics, bootstrap_servers: str, topic_prefix: str
) -> None:
    make(admin, topics.interactions, {"message.timestamp.type": "CreateTime"})

    done = botmeter(bootstrap_servers, topic_prefix)

    assert done.returncode == 1
    assert done.stdout.splitlines()[0].endswith(
        "  differs  message.timestamp.type is CreateTime, should be LogAppendTime"
    )
    assert done.stdout.splitlines()[1].strip() == (
        f"run: kafka-configs.sh --bootstrap-server {bootstrap_servers} --alter --entity-type topics "
        f"--entity-name {topics.interactions.name} --add-config message.timestamp.type=LogAppendTime"
    )


def test_the_command_without_a_broker_exits_3(topic_prefix: str) -> None:
    done = botmeter("localhost:1", topic_prefix, BOTMETER_BROKER_TIMEOUT_S="0")

    assert (done.returncode, done.stdout) == (3, "")
    [line] = done.stderr.splitlines()
    # In brackets the reason, if the client knew one by then.
    assert re.match(r"botmeter: cannot reach Kafka at localhost:1, tried for 0 s( \(.+\))?; see BOTMETER_BOOT", line)


def test_settings_that_differ_are_mended_when_told_to_and_said_first(
    admin: AdminClient, topics: Topics, bootstrap_servers: str, topic_prefix: str
) -> None:
    make(admin, topics.interactions, {"message.timestamp.type": "CreateTime", "retention.ms": "1000"})
    make(admin, topics.journal, {"retention.ms": "604800000"})

    done = botmeter(bootstrap_servers, topic_prefix, "--fix")

    assert done.returncode == 0
    assert sorted(complaints(done)) == [
        f"setting message.timestamp.type of {topics.interactions.name} to LogAppendTime, it is CreateTime",
        f"setting retention.ms of {topics.interactions.name} to 604800000, it is 1000",
        f"setting retention.ms of {topics.journal.name} to -1, it is 604800000",
    ]
    assert {finding.state for finding in check_topics(admin, topics.all(), PARTITIONS)} == {"ok"}


def test_nothing_mends_the_number_of_partitions(
    admin: AdminClient, topics: Topics, bootstrap_servers: str, topic_prefix: str
) -> None:
    make(admin, topics.commands, {"retention.ms": "1000"}, partitions=PARTITIONS + 1)

    done = botmeter(bootstrap_servers, topic_prefix, "--fix")

    assert done.returncode == 1
    assert differences(check_topics(admin, [topics.commands], PARTITIONS)) == [
        f"{topics.commands.name}: the number of partitions is {PARTITIONS + 1}, should be {PARTITIONS}"
    ]


def test_more_than_wanted_is_left_as_it_is(admin: AdminClient, topics: Topics) -> None:
    make(admin, topics.alerts, {"retention.ms": "-1"})

    fix_settings(admin, [difference for finding in create(admin, topics) for difference in finding.differences])

    [alerts] = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topics.alerts.name)]).values()
    assert alerts.result()["retention.ms"].value == "-1"
