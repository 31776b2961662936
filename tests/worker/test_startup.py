"""What keeps a worker from starting, it says in one line, with an exit code that tells whose fault it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry
from confluent_kafka.admin._config import ConfigResource

from botmeter.embedded.ports import free_ports

from .cluster import Cluster
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
    with WorkerProcess(environment) as first, WorkerProcess(environment | {"BOTMETER_INSTANCE": "second"}) as second:
        del first, second
