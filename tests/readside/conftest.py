"""Fixtures: databases of both kinds, each with an empty read side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from botmeter.readside.database import open_database
from botmeter.readside.migrations import migrate
from postgresql import new_database, postgresql

__all__ = ["postgresql"]


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'readside.db'}"


@pytest.fixture
def postgresql_url(postgresql: str) -> str:
    """An empty database."""
    return new_database(postgresql)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A read side without a record, in a database of each kind."""
    made = open_database(database_url)
    migrate(made)
    yield made
    made.dispose()
