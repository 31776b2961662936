"""The health page tells a worker that works from one that hangs."""

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


def health(port: int) -> tuple[int, dict[str, Any]]:
    """The page's status code and what it says."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def becomes(port: int, code: int) -> dict[str, Any]:
    """Asks until the page comes with this code; what it says then."""
    deadline = until(PATIENCE_S)
    while (found := health(port))[0] != code:
        assert time.monotonic() < deadline, f"no {code} but {found}"
        time.sleep(0.02)
    return found[1]


@pytest.mark.parametrize("scenario", ["poll_hangs", "no_new_producer"])
def test_a_worker_without_turns_is_not_healthy_until_they_go_on(tmp_path: Path, scenario: str) -> None:
    with StubProcess(scenario, tmp_path) as worker:
        port = worker.port()
        said = becomes(port, 503)
        assert said["status"] == "stalled"
        assert re.fullmatch(r"no turn has completed for \d+ s", said["reason"])
        worker.send(signal.SIGUSR1)
        assert becomes(port, 200) == {"status": "running", "tasks": {}}
        assert worker.stop() == 0


def test_a_worker_that_restores_is_healthy(tmp_path: Path) -> None:
    with StubProcess("restoring", tmp_path) as worker:
        assert becomes(worker.port(), 200) == {"status": "running", "tasks": {"0": "restoring"}}
        assert worker.stop() == 0
