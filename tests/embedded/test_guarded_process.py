"""A guarded process and its directory do not outlive us, whatever we die of."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from botmeter.embedded.errors import EmbeddedKafkaUnavailable
from botmeter.embedded.guarded_process import GuardedProcess

#: An end to hanging, not a measure.
PATIENCE_S = 120
FOREVER = [sys.executable, "-c", "import signal; print('up', flush=True); signal.pause()"]

#: A parent that starts a guarded process, says its pid, and waits for its own end.
PARENT = """
import signal, sys
from pathlib import Path
from botmeter.embedded.guarded_process import GuardedProcess
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it would be ignored
process = GuardedProcess(Path(sys.argv[1]))
process.start(sys.argv[2:])
print(process.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "of the process"
    directory.mkdir()
    return directory


@pytest.fixture
def guarded(directory: Path) -> Iterator[GuardedProcess]:
    process = GuardedProcess(directory)
    yield process
    process.close()


def test_it_runs_in_the_directory_and_its_end_is_told(guarded: GuardedProcess, directory: Path) -> None:
    guarded.start([sys.executable, "-c", "import os; print(os.getcwd()); raise SystemExit(7)"])

    assert guarded.has_exited(PATIENCE_S)
    assert guarded.exit_code == 7
    assert (directory / "server.log").read_text().strip() == str(directory.resolve())


def test_processes_follow_each_other_and_share_the_log(guarded: GuardedProcess, directory: Path) -> None:
    for word in ("one", "two"):
        guarded.start([sys.executable, "-c", f"print('{word}')"])
        assert guarded.has_exited(PATIENCE_S)

    assert (directory / "server.log").read_text().split() == ["one", "two"]


def test_two_at_a_time_are_refused(guarded: GuardedProcess) -> None:
    guarded.start(FOREVER)

    with pytest.raises(AssertionError, match="still runs"):
        guarded.start(FOREVER)


def test_signals_reach_the_process(guarded: GuardedProcess) -> None:
    guarded.start(FOREVER)

    assert not guarded.has_exited(within_s=0)
    guarded.signal(signal.SIGTERM)

    assert guarded.has_exited(PATIENCE_S)
    assert guarded.exit_code == -signal.SIGTERM


def test_a_signal_to_a_process_that_has_ended_does_nothing(guarded: GuardedProcess) -> None:
    guarded.start([sys.executable, "-c", ""])
    assert guarded.has_exited(PATIENCE_S)

    guarded.signal(signal.SIGTERM)
    guarded.start([sys.executable, "-c", "raise SystemExit(3)"])

    assert guarded.has_exited(PATIENCE_S)
    assert guarded.exit_code == 3


def test_closing_ends_even_a_frozen_process_and_deletes_the_directory(directory: Path) -> None:
    process = GuardedProcess(directory)
    process.start(FOREVER)
    frozen = psutil.Process(process.pid)
    process.signal(signal.SIGSTOP)

    process.close()

    assert not frozen.is_running()
    assert not directory.exists()


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_outlives_a_parent_that_dies(directory: Path, death: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(directory), *FOREVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())

        parent.send_signal(death)
        parent.communicate(timeout=PATIENCE_S)  # until the guard, too, has let go of standard error

    assert parent.returncode == -death
    assert not psutil.pid_exists(pid)
    assert not directory.exists()


def test_a_guard_that_is_asked_to_end_takes_the_process_along(directory: Path) -> None:
    process = GuardedProcess(directory)
    process.start(FOREVER)
    guarded = psutil.Process(process.pid)
    guard = guarded.parent()
    assert guard is not None

    guard.terminate()

    assert process.has_exited(PATIENCE_S)
    assert not guarded.is_running()
    with pytest.raises(EmbeddedKafkaUnavailable, match="guards"):
        process.start(FOREVER)
    process.close()
    assert not directory.exists()
