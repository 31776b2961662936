"""Logs as JSON, of every process; and librdkafka's own lines, of clients that nobody polls too."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botmeter.kafka import clients
from botmeter.telemetry.logs import JsonLines
from worker.process import PATIENCE_S, WorkerProcess, until

ALWAYS = ["at", "level", "logger", "process", "thread", "message"]
ROOT = Path(__file__).parents[1]
NOBODY = "127.0.0.1:1"


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """What is logged as JSON during the test."""
    heard: list[dict[str, Any]] = []
    formatter = JsonLines("test")

    class Hearing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(json.loads(formatter.format(record)))

    handler = Hearing()
    logging.getLogger("botmeter").addHandler(handler)
    yield heard
    logging.getLogger("botmeter").removeHandler(handler)


def objects(said: str) -> list[dict[str, Any]]:
    """Each line as an object; fails where one is none."""
    return [json.loads(line) for line in said.splitlines()]


def test_an_event_is_one_line_with_stable_fields_and_what_it_names_apart(lines: list[dict[str, Any]]) -> None:
    log = logging.getLogger("botmeter.test")
    try:
        int("two\nlines")
    except ValueError:
        log.exception("it %s", "failed\nbadly", extra={"partition": 3})

    [told] = lines
    assert list(told) == [*ALWAYS, "partition", "exception"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told["at"])
    assert (told["level"], told["message"], told["partition"]) == ("ERROR", "it failed\nbadly", 3)
    assert told["exception"]["type"] == "ValueError"
    assert r"two\nlines" in told["exception"]["message"]
    assert "test_logs.py" in told["exception"]["traceback"]


def test_an_admin_client_that_nobody_polls_tells_of_an_outage_by_its_severity(lines: list[dict[str, Any]]) -> None:
    with clients.make_admin(clients.admin_config({}, NOBODY)):
        deadline = until(PATIENCE_S)
        while not any(line.get("facility") == "FAIL" for line in lines):
            assert time.monotonic() < deadline, lines
            time.sleep(0.02)
    [first, *_] = [line for line in lines if line.get("facility") == "FAIL"]
    assert (first["level"], first["logger"]) == ("ERROR", "botmeter.librdkafka")
    assert first["client"].startswith("botmeter-admin#")
    assert "Connection refused" in first["message"]


@pytest.mark.parametrize("command", ["worker", "project", "web", "notify"])
def test_every_process_says_all_in_json_also_what_it_ends_with(command: str, tmp_path: Path) -> None:
    environment = {
        "BOTMETER_LOG_FORMAT": "json",
        "BOTMETER_BOOTSTRAP_SERVERS": NOBODY,
        "BOTMETER_BROKER_TIMEOUT_S": "0",
        "BOTMETER_DATA_DIR": str(tmp_path),
        "BOTMETER_AUTH_SECRET": "a secret of the tests, long enough for HS256",
        "BOTMETER_HTTP_PORT": "0",
        "BOTMETER_NOTIFY_PORT": "0",
    }
    with WorkerProcess(environment, command) as ended:
        assert ended.ended() == 3
    told = objects(ended.said)
    assert {line["process"] for line in told} == {command}
    assert all(list(line)[: len(ALWAYS)] == ALWAYS for line in told)
    assert told[-1]["level"] == "ERROR"
    assert "cannot reach Kafka at 127.0.0.1:1" in told[-1]["message"]


def test_a_bug_is_one_line_too(tmp_path: Path) -> None:
    program = [sys.executable, str(ROOT / "worker" / "stub_engine.py")]
    command = f"bug_and_closing_hangs {tmp_path}"
    with WorkerProcess({"BOTMETER_LOG_FORMAT": "json", "BOTMETER_WEB_PORT": "0"}, command, program) as worker:
        assert worker.ended() == 1
    bug = objects(worker.said)[-1]
    assert bug["level"] == "CRITICAL"
    assert bug["exception"]["type"] == "InvariantViolated"
    assert "two and two are five" in bug["exception"]["traceback"]
