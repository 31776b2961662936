"""`botmeter kafka`: a broker on a fixed port, whose data can be kept."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from botmeter.embedded.ports import free_ports

pytestmark = pytest.mark.kafka

#: An end to hanging, not a measure.
PATIENCE_S = 90
PROGRAM = [sys.executable, "-c", "import botmeter.cli; botmeter.cli.main()", "kafka"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("BOTMETER_")} | {
    "BOTMETER_PARTITIONS": "2"
}


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program once it says that it is ready, and what it printed until then."""
    with subprocess.Popen([*PROGRAM, *arguments], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if line.startswith("Ctrl-C"):
                    break
            yield process, said
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def refused(*arguments: str) -> tuple[int, str]:
    """What the program ends with at once, and what it says."""
    done = subprocess.run(
        [*PROGRAM, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    return done.returncode, done.stderr


def topics_at(port: int) -> set[str]:
    admin = AdminClient({"bootstrap.servers": f"localhost:{port}", "log_level": 0})
    return set(admin.list_topics(timeout=30).topics)


@pytest.mark.chaos
def test_it_says_how_to_use_it_and_its_data_are_there_at_the_next_start(tmp_path: Path) -> None:
    [port] = free_ports(1)
    home = str(tmp_path / "kafka")
    with running("--port", str(port), "--data", home) as (process, said):
        first = topics_at(port)
        admin = AdminClient({"bootstrap.servers": f"localhost:{port}", "log_level": 0})
        admin.create_topics([NewTopic("mine", 1, 1)])["mine"].result(PATIENCE_S)
        second_on_the_port = refused("--port", str(port))
        second_in_the_home = refused("--port", str(free_ports(1)[0]), "--data", home)
        process.send_signal(signal.SIGINT)
        code = process.wait(PATIENCE_S)
    with running("--port", str(port), "--data", home, "--no-topics") as (killed, _):
        again = topics_at(port)
        killed.kill()
    with running("--port", str(port), "--data", home, "--no-topics") as (stopped, _):
        after_kill = topics_at(port)
        stopped.terminate()
        code_of_stop = stopped.wait(PATIENCE_S)

    assert f"export BOTMETER_BOOTSTRAP_SERVERS=localhost:{port}" in said
    assert "export BOTMETER_PARTITIONS=2" in said
    assert {"chat.interactions", "botmeter.journal"} <= first
    assert first | {"mine"} == again == after_kill
    assert second_on_the_port == (3, f"botmeter: port {port} is taken; is another Kafka running?\n")
    assert second_in_the_home == (3, f"botmeter: another Apache Kafka uses {home}\n")
    assert (code, code_of_stop) == (130, 0)


def test_without_a_directory_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENT, "TMPDIR", str(tmp_path))
    [port] = free_ports(1)
    with running("--port", str(port), "--no-topics") as (_, said):
        topics = topics_at(port)

    assert re.search(r"Its data are deleted when it ends", said)
    assert "chat.interactions" not in topics
    assert list(tmp_path.iterdir()) == []
