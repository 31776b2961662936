"""Opening the database: SQLite (in WAL mode) by default, PostgreSQL by URL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from botmeter.errors import ConfigurationError
from botmeter.readside.tables import TABLES, Generation, Tables, generation_table

#: How long a writer waits for another one. A rebuild's transactions take less than a second each.
_BUSY_TIMEOUT_S: Final = 30.0
#: Pages kept in memory by each connection, in KiB: the inner pages of the indexes of ten million sessions, and more.
_CACHE_KIB: Final = 64 * 1024
_MMAP_BYTES: Final = 4 * 1024**3
#: After this many pages of 4 KiB the write-ahead log is folded into the database file.
_CHECKPOINT_PAGES: Final = 16_384
#: Set on a connection whose next transaction writes: it takes SQLite's write lock at the start, and so never fails
#: half-way because another writer was faster.
_WRITES: Final = "botmeter_writes"


def open_database(url: str) -> Engine:
    """The database at `url`, such as `sqlite:///botmeter-data/readside.db` or `postgresql+psycopg://user@host/name`.

    Raises ConfigurationError for an invalid URL, or one of a database that is neither SQLite nor PostgreSQL.
    """
    try:
        parsed = make_url(url)
        driver = parsed.get_backend_name()
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(f"BOTMETER_READSIDE_URL: {error}") from None
    try:
        if driver == "sqlite":
            return _sqlite(url, parsed.database)
        if driver == "postgresql":
            return create_engine(url, pool_pre_ping=True, pool_size=16, max_overflow=32)
    except (OSError, ImportError, NoSuchModuleError) as error:
        raise ConfigurationError(f"BOTMETER_READSIDE_URL: {error}") from None
    raise ConfigurationError(
        f"BOTMETER_READSIDE_URL names {driver}; botmeter keeps its read side in SQLite or PostgreSQL"
    )


def _sqlite(url: str, database: str | None) -> Engine:
    if database in {None, "", ":memory:"}:
        raise ConfigurationError("BOTMETER_READSIDE_URL should name a file: one in memory ends with the process")
    Path(str(database)).absolute().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_S}, pool_size=16, max_overflow=32)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions are begun by _begin, not by the driver's guess
    for pragma in (
        "journal_mode=WAL",  # readers and the writer do not wait for each other
        "synchronous=NORMAL",  # a power cut may lose the last transactions, offsets and rows alike: they are read again
        f"cache_size=-{_CACHE_KIB}",
        f"mmap_size={_MMAP_BYTES}",
        f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A writing transaction: commits at the end of the block, rolls back when the block raises."""
    with engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[tuple[Connection, Tables]]:
    """A reading transaction, and the current tables: all queries in the block see the same moment."""
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection, current_tables(connection)


def current_generation(engine: Engine) -> Generation:
    """Which set of tables is current."""
    with reading(engine) as (_, tables):
        return tables.generation


def current_tables(connection: Connection) -> Tables:
    """The set of tables that is current."""
    letter: Generation = connection.execute(select(generation_table.c.generation)).scalar_one()
    return TABLES[letter]
