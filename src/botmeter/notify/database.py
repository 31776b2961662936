"""The notifier's database: SQLite in WAL mode, or PostgreSQL. Its schema is upgraded when it is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from botmeter.errors import ConfigurationError

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
#: How long a transaction waits for another one of SQLite, in seconds; each takes milliseconds.
_BUSY_S: Final = 60
#: Makes other notifiers wait while one upgrades PostgreSQL's schema; any number that no other program uses.
_MIGRATION_LOCK: Final = 8_017_466_310
_READING: Final = {"botmeter_reads": True}


def open_database(url: str, file: Path) -> Engine:
    """Opens the database at `url`, or the SQLite file when the URL is empty, and upgrades its schema.

    Raises ConfigurationError when it cannot be reached or is newer than this program.
    """
    try:
        engine = _engine(url or f"sqlite:///{file}")
        if not url:
            file.parent.mkdir(parents=True, exist_ok=True)
        _migrate(engine)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigurationError(f"BOTMETER_NOTIFY_DATABASE_URL: {str(error).splitlines()[0]}") from None
    except (DBAPIError, OSError) as error:
        place = f"the database at {make_url(url).render_as_string()}" if url else str(file)
        reason = str(error.orig if isinstance(error, DBAPIError) else error).splitlines()[0]
        raise ConfigurationError(f"cannot use {place}: {reason}; see BOTMETER_NOTIFY_DATABASE_URL") from None
    except CommandError as error:
        raise ConfigurationError(f"the database was made by a newer botmeter: {error}") from None
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads; on SQLite it does not wait for writers."""
    with engine.connect() as connection, connection.execution_options(**_READING).begin():
        yield connection


def insert_new(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows whose keys are not there yet."""
    if rows:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(insert(table).on_conflict_do_nothing(), rows)


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True, pool_size=20)
    engine = create_engine(parsed, connect_args={"timeout": _BUSY_S, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, record: object) -> None:
    del record
    connection.isolation_level = None  # _begin_sqlite begins transactions, not the driver
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that may write takes the write lock at once: taking it later could abort the transaction."""
    is_reading = connection.get_execution_options().get("botmeter_reads")
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
