"""`botmeter demo` itself, with its own Kafka and worker."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

pytestmark = pytest.mark.kafka

#: An end to hanging, not a measure.
PATIENCE_S = 300
#: They would make a terminal of a pipe, for rich.
OF_TERMINALS = {"FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}


@contextmanager
def demo(*options: str) -> Iterator[subprocess.Popen[str]]:
    """The demo as people start it, whatever settings they have for other clusters."""
    inherited = {name: value for name, value in os.environ.items() if name not in OF_TERMINALS}
    with subprocess.Popen(
        [sys.executable, "-c", "from botmeter.cli import main; main()", "demo", *options],
        env={**inherited, "BOTMETER_BOOTSTRAP_SERVERS": "nowhere.invalid:9092", "BOTMETER_PACK_SESSIONS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def read_until(running: subprocess.Popen[str], text: str) -> None:
    assert running.stdout is not None
    assert any(text in line for line in running.stdout), f"it ended before it said {text!r}"


def family(running: subprocess.Popen[str]) -> list[psutil.Process]:
    """Kafka, the worker, the notifier, and the guards of all."""
    return psutil.Process(running.pid).children(recursive=True)


def test_it_runs_proves_itself_and_ends() -> None:
    with demo("--seconds", "10") as running:  # a busy machine may be late in all of five
        stdout, stderr = running.communicate(timeout=PATIENCE_S)

    assert running.returncode == 0, stdout + stderr
    figures = dict(re.findall(r"^  (?:  )?([a-z][a-z ]+?) +([\d,]+)(?:  |$)", stdout, re.MULTILINE))
    counts = {name: int(number.replace(",", "")) for name, number in figures.items()}
    assert counts["interactions read"] > 5_000
    assert counts["sessions charged"] > 500
    assert counts["duplicates absorbed"] > 0
    assert counts["dead letters"] > 10
    assert counts["overshoot"] == 0
    assert counts["balances equal"] > 100
    assert "bots suspended" in stdout
    assert re.search(r"[1-9]\d* mails, [1-9]\d* webhooks, .*, chat to mailbox p50 \d+ ms p99 \d+ ms", stdout)
    assert stdout.splitlines()[-1].startswith("OK: ")


def test_ctrl_c_ends_all_of_it() -> None:
    with demo("--keep") as running:
        read_until(running, "look at it with any Kafka client: bootstrap servers 127.0.0.1:")
        read_until(running, "bots suspended")
        processes = family(running)
        assert len(processes) >= 4
        running.send_signal(signal.SIGINT)
        _, stderr = running.communicate(timeout=PATIENCE_S)

    assert running.returncode == 130, stderr
    gone, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)
    assert len(gone) == len(processes), alive


def test_a_worker_that_dies_is_shown_with_the_end_of_its_log() -> None:
    with demo() as running:
        read_until(running, "bots suspended")
        [worker] = [process for process in family(running) if process.cmdline()[-1:] == ["worker"]]
        worker.kill()
        _, stderr = running.communicate(timeout=PATIENCE_S)

    assert running.returncode == 1
    assert "the worker ended, code -9; its log ends:" in stderr
    assert "partition 0: assigned" in stderr


def test_without_its_packages_it_says_what_to_install() -> None:
    program = """
import sys
sys.modules["rich"] = None
sys.argv = ["botmeter", "demo"]
from botmeter.cli import main
main()
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )

    assert ran.returncode == 2
    assert ran.stderr.splitlines() == [
        "botmeter: the demo needs rich; install botmeter with its demo extra: pip install 'botmeter[demo]'"
    ]
