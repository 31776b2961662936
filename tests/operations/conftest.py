"""A cluster of its own topics, for the tests of what operators use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.cluster import Cluster


@pytest.fixture
def cluster(bootstrap_servers: str, topic_prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    """Topics, group and data directories of this test alone."""
    made = Cluster(bootstrap_servers, topic_prefix, tmp_path)
    yield made
    made.close()
