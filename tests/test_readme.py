"""What the README says to do is done here, on a real Kafka with a real worker."""

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

from botmeter.cli import COMMANDS
from botmeter.embedded import EmbeddedKafka

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: Where the README's Kafka is.
WRITTEN_SERVERS = "localhost:9092"
#: An end to hanging, not a measure.
PATIENCE_S = 240
BOTMETER = Path(sys.executable).with_name("botmeter")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A cluster of its own, as the README's topics have the names of an installation; and settings to reach it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOTMETER_")}
    with EmbeddedKafka(report=print) as broker:
        yield inherited | {
            "BOTMETER_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "BOTMETER_DATA_DIR": str(tmp_path_factory.mktemp("data")),
            "BOTMETER_WEB_PORT": "0",
        }


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def run_python(script: str, environment: dict[str, str]) -> str:
    there = script.replace(WRITTEN_SERVERS, environment["BOTMETER_BOOTSTRAP_SERVERS"])
    assert there != script
    command = [sys.executable, "-c", there]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout


@contextmanager
def running_worker(environment: dict[str, str], log: Path) -> Iterator[None]:
    """A worker, until it is told to stop; that it stops in good order is part of the test."""
    with (
        log.open("w", encoding="utf-8") as stderr,
        subprocess.Popen([BOTMETER, "worker"], env=environment, stderr=stderr) as worker,
    ):
        try:
            yield
            worker.send_signal(signal.SIGTERM)
            exit_code = worker.wait(timeout=PATIENCE_S)
        finally:
            worker.kill()
    assert exit_code == 0, log.read_text(encoding="utf-8")


@pytest.mark.kafka
def test_what_is_published_as_written_leads_to_the_alert_as_written(
    environment: dict[str, str], tmp_path: Path
) -> None:
    publish, read = blocks("python")
    [expected] = re.findall(r"^prints\n\n```\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    subprocess.run([BOTMETER, "topics", "create"], env=environment, timeout=PATIENCE_S, check=True)

    with running_worker(environment, tmp_path / "worker.log"):
        run_python(publish, environment)
        printed = run_python(read, environment)

    assert printed == expected


def test_the_commands_written_about_are_those_there_are() -> None:
    [table] = re.findall(r"^\| command \| does \|\n(.*?)\n\n", README, re.MULTILINE | re.DOTALL)

    assert re.findall(r"^\| `botmeter ([a-z-]+)", table, re.MULTILINE) == list(COMMANDS)


def test_the_make_targets_written_about_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)|^make ([a-z]+)", README, re.MULTILINE))

    assert {first or second for first, second in named} <= targets
    assert len(named) >= 3
