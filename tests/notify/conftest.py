"""Fixtures: databases of both kinds, each empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from postgresql import new_database, postgresql

__all__ = ["postgresql"]


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'notify.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, sqlite_url: str) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return sqlite_url
    return new_database(request.getfixturevalue("postgresql"))
