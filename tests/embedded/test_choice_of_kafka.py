"""Tests that cannot have an Apache Kafka fail and say why; they are never left out in silence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SESSION_BROKER = Path(__file__).with_name("test_session_broker.py")


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        (
            {"BOTMETER_TEST_KAFKA": "testcontainers", "DOCKER_HOST": "tcp://127.0.0.1:1"},
            "no Docker daemon for the tests",
        ),
        ({"BOTMETER_TEST_KAFKA": "none"}, "BOTMETER_TEST_KAFKA is 'none': say embedded or testcontainers"),
        ({"BOTMETER_TEST_KAFKA": "embedded", "XDG_CACHE_HOME": os.devnull}, "no Apache Kafka for the tests"),
    ],
    ids=["no-docker", "wrong-choice", "no-embedded-kafka"],
)
def test_without_a_kafka_the_test_fails_with_the_reason(environment: dict[str, str], reason: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", SESSION_BROKER, "-k", "ten_megabytes"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert run.returncode == 1
    assert reason in run.stdout
    assert "1 error" in run.stdout
