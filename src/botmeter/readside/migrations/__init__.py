"""Making the tables, and bringing those of an older version up to date."""

from __future__ import annotations

from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

from botmeter.readside.database import writing

#: The notifier may keep its outbox in the same database, with versions of its own.
VERSION_TABLE: Final = "readside_version"
#: Any number; two processes that start at once take turns by it.
_LOCK: Final = 7_041_776


def migrate(engine: Engine) -> None:
    """Bring the database to the present version, in one transaction; nothing happens when it is there already."""
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
        command.upgrade(configuration(connection), "head")


def configuration(connection: Connection) -> Config:
    """What alembic has to know; `env.py` finds the connection in it."""
    config = Config()
    config.set_main_option("script_location", "botmeter.readside:migrations")
    config.attributes["connection"] = connection
    return config
