"""A cluster of its own topics, a worker on it, and a connection to it, for the tests of the client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from botmeter.client import Connection
from worker.cluster import Cluster


@pytest.fixture
def cluster(bootstrap_servers: str, topic_prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    """Topics, group and data directories of this test alone."""
    made = Cluster(bootstrap_servers, topic_prefix, tmp_path)
    yield made
    made.close()


@pytest.fixture
def connection(cluster: Cluster) -> Connection:
    return Connection(cluster.bootstrap_servers, cluster.topics)
