"""One broker that asks who comes and what he may do, for all tests in here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.cluster import Cluster

from .secured import SecuredKafka, secured_kafka


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(tmp_path_factory.mktemp("secured")) as kafka:
        yield kafka


@pytest.fixture
def cluster(secured: SecuredKafka, topic_prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    """An installation, written and read by somebody who may do anything."""
    made = Cluster(secured.bootstrap_servers, topic_prefix, tmp_path)
    yield made
    made.close()
