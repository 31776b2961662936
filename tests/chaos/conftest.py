"""Three brokers for all tests of this room, and one installation on them for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from .brokers import Brokers, three_brokers
from .installation import Installation


@pytest.fixture(scope="session")
def session_brokers() -> Iterator[Brokers]:
    with three_brokers() as brokers:
        yield brokers


@pytest.fixture
def brokers(session_brokers: Brokers) -> Brokers:
    """As they should be, however the test before has left them."""
    session_brokers.mended()
    return session_brokers


@pytest.fixture
def cluster(brokers: Brokers, topic_prefix: str, tmp_path: Path, figures: Counter[str]) -> Iterator[Installation]:
    """Topics, group and data directories of this test alone, each record on all brokers."""
    made = Installation(brokers, topic_prefix, tmp_path, figures)
    yield made
    made.close()
