"""A cluster of its own for each module's tests, and a read side of either kind beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from postgresql import postgresql
from worker.cluster import Cluster

__all__ = ["postgresql"]


@pytest.fixture(scope="module")
def cluster(
    kafka: object, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Topics that no other module has, and a worker that meters them."""
    name = re.sub(r"[^a-z]+", "-", request.module.__name__.lower())
    found = Cluster(kafka.bootstrap_servers, f"{name}.", tmp_path_factory.mktemp(name))  # type: ignore[attr-defined]
    try:
        yield found
    finally:
        found.close()
