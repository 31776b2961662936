"""The pages for probes tell a worker that works from one that hangs, and one that meters from one that does not."""

from __future__ import annotations

import json
import re
import signal
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from .process import PATIENCE_S, until
from .stub_process import StubProcess


def asked(port: int, path: str) -> tuple[int, dict[str, Any]]:
    """A page's status code and what it says."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def becomes(port: int, code: int, path: str = "/health") -> dict[str, Any]:
    """Asks until the page comes with this code; what it says then."""
    deadline = until(PATIENCE_S)
    while (found := asked(port, path))[0] != code:
        assert time.monotonic() < deadline, f"no {code} but {found}"
        time.sleep(0.02)
    return found[1]


@pytest.mark.parametrize("scenario", ["poll_hangs", "no_new_producer"])
def test_a_worker_without_turns_does_not_live_until_they_go_on(tmp_path: Path, scenario: str) -> None:
    with StubProcess(scenario, tmp_path) as worker:
        port = worker.port()
        for path in ("/live", "/health"):
            said = becomes(port, 503, path)
            assert said["status"] == "stalled"
            assert re.fullmatch(r"no turn has completed for \d+ s", said["reason"])
        assert asked(port, "/ready")[0] == 503
        worker.send(signal.SIGUSR1)
        assert becomes(port, 200, "/live") == {"status": "live"}
        assert worker.stop() == 0


def test_a_worker_without_partitions_lives_and_is_not_ready(tmp_path: Path) -> None:
    with StubProcess("idle", tmp_path) as worker:
        port = worker.port()
        assert becomes(port, 200, "/live") == {"status": "live"}
        waiting = {"status": "waiting", "reason": "the group has not assigned a partition"}
        assert asked(port, "/ready") == (503, waiting)
        assert asked(port, "/health") == (200, {**waiting, "clocks": "agreed", "partitions": {}})
        assert worker.stop() == 0


def test_a_worker_that_restores_lives_and_is_not_ready(tmp_path: Path) -> None:
    with StubProcess("restoring", tmp_path) as worker:
        port = worker.port()
        becomes(port, 200, "/live")
        assert asked(port, "/ready") == (503, {"status": "restoring", "reason": "no partition is restored yet"})
        said = becomes(port, 200)
        assert said["partitions"]["0"]["state"] == "restoring"
        assert said["partitions"]["0"]["for_s"] >= 0
        assert worker.stop() == 0


def test_a_failed_partition_is_told_with_its_reason_and_remedy_and_a_restart_is_not_asked_for(tmp_path: Path) -> None:
    with StubProcess("failed", tmp_path) as worker:
        port = worker.port()
        becomes(port, 200, "/live")
        reason = "partitions that failed: 0"
        assert asked(port, "/ready") == (503, {"status": "degraded", "reason": reason})
        said = becomes(port, 200)
        assert (said["status"], said["reason"]) == ("degraded", reason)
        told = said["partitions"]["0"]
        assert told.pop("for_s") >= 0
        assert told == {"state": "failed", "reason": "the journal has a gap", "remedy": "run: this"}
        assert worker.stop() == 0
