"""What keeps a worker from starting, it says in one line, with an exit code that tells whose fault it is."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from botmeter.embedded.ports import free_ports

from .cluster import Cluster
from .outage import alter
from .process import WorkerProcess


def nobody_listens(data_dir: Path, timeout_s: int) -> dict[str, str]:
    """What a worker is told whose broker is not there."""
    [port] = free_ports(1)
    return {
        "BOTMETER_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
        "BOTMETER_BROKER_TIMEOUT_S": str(timeout_s),
        "BOTMETER_DATA_DIR": str(data_dir),
        "BOTMETER_WEB_PORT": "0",
    }


def require_one_line(worker: WorkerProcess, *told: str) -> None:
    """The program's own last line, and no traceback."""
    [line] = worker.lines
    assert line.startswith("botmeter: ")
    assert [part for part in told if part not in line] == []


def test_an_unreachable_broker_is_asked_again_and_then_given_up(tmp_path: Path) -> None:
    environment = nobody_listens(tmp_path, timeout_s=2)
    with WorkerProcess(environment) as worker:
        code = worker.ended()

        *retries, last = worker.lines
    servers = environment["BOTMETER_BOOTSTRAP_SERVERS"]
    assert code == 3
    assert retries
    assert [line for line in retries if f"cannot reach Kafka at {servers} yet" not in line] == []
    assert last.startswith(f"botmeter: cannot reach Kafka at {servers}, tried for 2 s")
    assert "BOTMETER_BOOTSTRAP_SERVERS" in last


def test_a_second_worker_on_the_same_data_directory_is_refused(tmp_path: Path) -> None:
    environment = nobody_listens(tmp_path, timeout_s=600)
    with WorkerProcess(environment) as first:
        first.hears("cannot reach Kafka")
        with WorkerProcess(environment) as second:
            assert second.ended() == 2
            require_one_line(second, str(tmp_path), "BOTMETER_DATA_DIR")
        assert not first.has_ended


@pytest.mark.parametrize(
    ("number", "codes"), [(signal.SIGINT, {130}), (signal.SIGTERM, {0, -signal.SIGTERM})], ids=["SIGINT", "SIGTERM"]
)
def test_waiting_for_the_broker_can_be_stopped(tmp_path: Path, number: signal.Signals, codes: set[int]) -> None:
    with WorkerProcess(nobody_listens(tmp_path, timeout_s=600)) as worker:
        worker.hears("cannot reach Kafka")

        assert worker.stop(number) in codes


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BOTMETER_PARTITIONS", "many"),
        ("BOTMETER_KAFKA__NO_SUCH_OPTION", "1"),
        ("BOTMETER_DATA_DIR", "/dev/null/data"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(tmp_path: Path, name: str, value: str) -> None:
    with WorkerProcess(nobody_listens(tmp_path, timeout_s=600) | {name: value}) as worker:
        assert worker.ended() == 2
        require_one_line(worker, name.partition("__")[0])


@pytest.mark.kafka
def test_missing_topics_are_named_with_the_command_that_makes_them(cluster: Cluster) -> None:
    worker = cluster.worker(BOTMETER_TOPIC_PREFIX="absent.")

    assert worker.ended() == 3
    require_one_line(worker, "topic absent.journal is missing", "botmeter topics create")


@pytest.mark.kafka
def test_another_number_of_partitions_is_refused(cluster: Cluster) -> None:
    worker = cluster.worker(BOTMETER_PARTITIONS=str(cluster.partitions + 1))

    assert worker.ended() == 3
    require_one_line(worker, f"topic {cluster.topics.interactions.name}", "number of partitions is 2, should be 3")


@pytest.mark.kafka
def test_an_input_whose_timestamps_are_not_the_brokers_is_refused(cluster: Cluster) -> None:
    alter(cluster, cluster.topics.commands, "message.timestamp.type", "CreateTime")
    worker = cluster.worker()

    assert worker.ended() == 3
    require_one_line(
        worker, f"topic {cluster.topics.commands.name}", "message.timestamp.type is CreateTime, should be LogAppendTime"
    )
