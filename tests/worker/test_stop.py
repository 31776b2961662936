"""Why a worker ends is told, with that reason's exit code, also when closing does not come to an end."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from .stub_process import StubProcess

OVERDUE: Final = "ERROR could not stop in time; what was not committed is taken up at the next start"


@pytest.mark.parametrize(
    ("scenario", "code", "last_line"),
    [
        ("topic_refused_and_closing_hangs", 3, "botmeter: grant READ on topic x"),
        ("commit_hangs", 1, "botmeter: a commit has not come back for 0 s"),
    ],
)
def test_an_error_is_told_in_one_line_though_closing_hangs(
    tmp_path: Path, scenario: str, code: int, last_line: str
) -> None:
    with StubProcess(scenario, tmp_path) as worker:
        assert worker.ended() == code

    assert worker.lines[-1] == last_line
    assert worker.lines[-2].endswith(OVERDUE)
    assert "Traceback" not in worker.said


def test_a_bug_is_told_with_its_traceback_though_closing_hangs(tmp_path: Path) -> None:
    with StubProcess("bug_and_closing_hangs", tmp_path) as worker:
        assert worker.ended() == 1

    assert worker.lines[-1] == "botmeter.errors.InvariantViolated: two and two are five"
    assert "Traceback (most recent call last):" in worker.lines


def test_an_error_is_told_though_closing_fails_too(tmp_path: Path) -> None:
    with StubProcess("topic_refused_and_closing_fails", tmp_path) as worker:
        assert worker.ended() == 3

    assert worker.lines[-1] == "botmeter: grant READ on topic x"
    assert "ERROR could not close: RuntimeError('disk full'); what was not committed" in worker.lines[-2]


def test_a_stop_asked_for_is_given_up_when_closing_hangs(tmp_path: Path) -> None:
    with StubProcess("closing_hangs", tmp_path) as worker:
        worker.port()
        assert worker.stop() == 1

    assert worker.lines[-1].endswith(OVERDUE)
    assert "Traceback" not in worker.said
