"""A cluster of its own topics, for the tests of the samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from botmeter.client import Connection
from worker.cluster import Cluster


@pytest.fixture
def cluster(bootstrap_servers: str, topic_prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(bootstrap_servers, topic_prefix, tmp_path)
    yield made
    made.close()


@pytest.fixture
def connection(cluster: Cluster) -> Connection:
    return Connection(cluster.bootstrap_servers, cluster.topics)
