"""What keeps a worker from starting, it says in one line, with an exit code that tells whose fault it is."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from .cluster import Cluster
from .outage import alter
from .process import WorkerProcess

#: Several attempts to reach a broker, also where a busy machine makes one of them last.
GIVEN_UP_AFTER_S: Final = 6
FOR_EVER_S: Final = 6_000


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What a worker is told whose broker is not there: on a port that is held, so that nobody can listen on it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield {
            "BOTMETER_BOOTSTRAP_SERVERS": f"127.0.0.1:{held.getsockname()[1]}",
            "BOTMETER_BROKER_TIMEOUT_S": str(FOR_EVER_S),
            "BOTMETER_DATA_DIR": str(tmp_path),
            "BOTMETER_WEB_PORT": "0",
        }


def require_one_line(worker: WorkerProcess, *told: str) -> None:
    """The program's own last line, and no traceback."""
    [line] = worker.lines
    require_told(line, told)


def require_one_line_of_an_answer(worker: WorkerProcess, *told: str) -> None:
    """As above, but that a busy broker may have been waited for."""
    [line] = [line for line in worker.lines if "cannot reach Kafka" not in line]
    require_told(line, told)


def require_told(line: str, told: Sequence[str]) -> None:
    assert line.startswith("botmeter: ")
    assert [part for part in told if part not in line] == []


def test_an_unreachable_broker_is_asked_again_and_then_given_up(environment: dict[str, str]) -> None:
    with WorkerProcess(environment | {"BOTMETER_BROKER_TIMEOUT_S": str(GIVEN_UP_AFTER_S)}) as worker:
        code = worker.ended()

        *retries, last = worker.lines
    servers = environment["BOTMETER_BOOTSTRAP_SERVERS"]
    assert code == 3
    assert retries
    assert [line for line in retries if f"cannot reach Kafka at {servers} yet" not in line] == []
    assert last.startswith(f"botmeter: cannot reach Kafka at {servers}, tried for {GIVEN_UP_AFTER_S} s")
    assert "BOTMETER_BOOTSTRAP_SERVERS" in last


def test_a_second_worker_on_the_same_data_directory_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    with WorkerProcess(environment) as first:
        first.hears("cannot reach Kafka")
        with WorkerProcess(environment) as second:
            assert second.ended() == 2
            require_one_line(second, str(tmp_path), "BOTMETER_DATA_DIR")
        assert not first.has_ended


@pytest.mark.parametrize(
    ("number", "codes"), [(signal.SIGINT, {130}), (signal.SIGTERM, {0, -signal.SIGTERM})], ids=["SIGINT", "SIGTERM"]
)
def test_waiting_for_the_broker_can_be_stopped(
    environment: dict[str, str], number: signal.Signals, codes: set[int]
) -> None:
    with WorkerProcess(environment) as worker:
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
def test_a_wrong_setting_is_one_line_that_names_it(environment: dict[str, str], name: str, value: str) -> None:
    with WorkerProcess(environment | {name: value}) as worker:
        assert worker.ended() == 2
        require_one_line(worker, name.partition("__")[0])


@pytest.mark.kafka
def test_missing_topics_are_named_with_the_command_that_makes_them(cluster: Cluster) -> None:
    worker = cluster.worker(BOTMETER_TOPIC_PREFIX="absent.")

    assert worker.ended() == 3
    require_one_line_of_an_answer(worker, "topic absent.journal is missing", "botmeter topics create")


@pytest.mark.kafka
def test_another_number_of_partitions_is_refused(cluster: Cluster) -> None:
    worker = cluster.worker(BOTMETER_PARTITIONS=str(cluster.partitions + 1))

    assert worker.ended() == 3
    require_one_line_of_an_answer(
        worker, f"topic {cluster.topics.interactions.name}", "number of partitions is 2, should be 3"
    )


@pytest.mark.kafka
def test_an_input_whose_timestamps_are_not_the_brokers_is_refused(cluster: Cluster) -> None:
    alter(cluster, cluster.topics.commands, "message.timestamp.type", "CreateTime")
    worker = cluster.worker()

    assert worker.ended() == 3
    require_one_line_of_an_answer(
        worker, f"topic {cluster.topics.commands.name}", "message.timestamp.type is CreateTime, should be LogAppendTime"
    )


@pytest.mark.kafka
def test_a_taken_web_port_is_refused_before_the_worker_joins_the_group(cluster: Cluster) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        worker = cluster.worker(BOTMETER_WEB_PORT=port, BOTMETER_LOG_LEVEL="WARNING")

        assert worker.ended() == 2
    require_one_line(worker, f"port {port}", "BOTMETER_WEB_PORT", "address already in use")
