"""The embedded broker: its life, its deaths, and what is left of it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic

from botmeter.embedded import EmbeddedKafka, EmbeddedKafkaUnavailable, kafka
from botmeter.embedded.ports import free_ports

pytestmark = pytest.mark.kafka

#: An end to hanging, not a measure.
PATIENCE_S = 120
#: A parent that starts a broker, says where it is, and waits for its own end.
PARENT = """
import sys
from botmeter.embedded import EmbeddedKafka
with EmbeddedKafka() as broker:
    print(broker.pid, broker.directory, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedKafka]:
    """A broker that the tests of this module may stop, kill and freeze, if they start it again."""
    with EmbeddedKafka(properties={"log.retention.hours": "7"}) as broker:
        yield broker


def admin_of(broker: EmbeddedKafka) -> AdminClient:
    return AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})


def write(broker: EmbeddedKafka, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": topic})
    producer.init_transactions(PATIENCE_S)
    producer.begin_transaction()
    producer.produce(topic, value)
    producer.commit_transaction(PATIENCE_S)


def values_of(broker: EmbeddedKafka, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": topic})
    consumer.assign([TopicPartition(topic, 0, 0)])
    values: list[bytes | None] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(values) < count:
        assert time.monotonic() < deadline, f"only {values} came"
        record = consumer.poll(1)
        if record is not None and record.error() is None:
            values.append(record.value())
    consumer.close()
    return values


def test_properties_reach_the_broker(broker: EmbeddedKafka) -> None:
    resource = ConfigResource(ConfigResource.Type.BROKER, "1")

    admin = admin_of(broker)
    settings = admin.describe_configs([resource])[resource].result(timeout=PATIENCE_S)

    assert settings["log.retention.hours"].value == "7"
    assert settings["auto.create.topics.enable"].value == "false"


@pytest.mark.parametrize("end", [EmbeddedKafka.stop, EmbeddedKafka.kill], ids=["stopped", "killed"])
def test_a_broker_that_was_ended_starts_again_with_its_data_and_port(
    broker: EmbeddedKafka, topic_prefix: str, end: Callable[[EmbeddedKafka], None]
) -> None:
    topic = f"{topic_prefix}records"
    admin = admin_of(broker)
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(timeout=PATIENCE_S)
    write(broker, topic, b"before")
    address = broker.bootstrap_servers

    end(broker)
    assert broker.pid is None
    with pytest.raises(KafkaException):
        admin_of(broker).list_topics(timeout=1)
    broker.start()

    write(broker, topic, b"after")
    assert values_of(broker, topic, 2) == [b"before", b"after"]
    assert broker.bootstrap_servers == address


def test_a_frozen_broker_answers_nobody_until_it_is_resumed(broker: EmbeddedKafka) -> None:
    broker.pause()
    with pytest.raises(KafkaException):
        admin_of(broker).list_topics(timeout=1)

    broker.resume()

    deadline = time.monotonic() + PATIENCE_S
    while not admin_of(broker).list_topics(timeout=PATIENCE_S).brokers:  # its own controller may have missed it
        assert time.monotonic() < deadline


def test_a_port_lost_to_another_broker_is_replaced_by_a_free_one(
    broker: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = int(broker.bootstrap_servers.split(":")[1])
    first_choice = iter([[taken, *free_ports(1)]])
    monkeypatch.setattr(kafka, "free_ports", lambda count: next(first_choice, None) or free_ports(count))

    with EmbeddedKafka() as second:
        assert second.bootstrap_servers != broker.bootstrap_servers
        assert admin_of(second).list_topics(timeout=PATIENCE_S).cluster_id != cluster_id_of(broker)


def cluster_id_of(broker: EmbeddedKafka) -> str:
    cluster_id = admin_of(broker).list_topics(timeout=PATIENCE_S).cluster_id
    assert cluster_id
    return cluster_id


def test_a_broker_that_cannot_start_shows_its_log_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with (
        pytest.raises(EmbeddedKafkaUnavailable, match=r"(?s)its log ends:.*num\.io\.threads"),
        EmbeddedKafka(properties={"num.io.threads": "0"}),
    ):
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_broker_that_does_not_answer_in_time_shows_its_log_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        elsewhere = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(EmbeddedKafka, "bootstrap_servers", elsewhere)

        with (
            pytest.raises(EmbeddedKafkaUnavailable, match=f"no answer from {elsewhere} within 500 ms"),
            EmbeddedKafka(ready_timeout_ms=500),
        ):
            pass

    assert list(tmp_path.iterdir()) == []


def test_broker_and_data_are_gone_after_an_exception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    said: list[str] = []

    with pytest.raises(ZeroDivisionError), EmbeddedKafka(report=said.append) as broker:  # noqa: PT012
        process = psutil.Process(broker.pid)
        assert broker.directory.parent == tmp_path
        raise ZeroDivisionError

    assert not process.is_running()
    assert list(tmp_path.iterdir()) == []
    assert said[-1].startswith("starting Apache Kafka")


def test_broker_and_data_are_gone_after_kill_9_of_the_parent() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pid, directory = parent.stdout.readline().split(maxsplit=1)
        assert psutil.Process(int(pid)).is_running()

        parent.kill()
        parent.communicate(timeout=PATIENCE_S)  # until the guard, too, has let go of standard error

    assert parent.returncode == -signal.SIGKILL
    assert not psutil.pid_exists(int(pid))
    assert not Path(directory.strip()).exists()
