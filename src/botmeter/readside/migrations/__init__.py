"""Creates the tables, and upgrades those of an older version."""

from __future__ import annotations

from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from botmeter.errors import ConfigurationError
from botmeter.readside.database import writing

#: A name of its own: the notifier may keep its outbox, with other versions, in the same database.
VERSION_TABLE: Final = "readside_version"
#: Any number; two processes that start at once take turns by it.
_LOCK: Final = 7_041_776


def migrate(engine: Engine) -> None:
    """Upgrade the database to the present version in one transaction; does nothing when it is up to date.

    Raises ConfigurationError when the database cannot be used, or a newer botmeter has made its tables.
    """
    try:
        with writing(engine) as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
            command.upgrade(configuration(connection), "head")
    except OperationalError as error:
        place = engine.url.render_as_string(hide_password=True)
        reason = str(error.orig).strip().splitlines()[0]
        raise ConfigurationError(f"cannot use {place}: {reason}; see BOTMETER_READSIDE_URL") from None
    except CommandError as error:
        raise ConfigurationError(f"the read side was made by a newer botmeter: {error}") from None


def configuration(connection: Connection) -> Config:
    """Alembic's configuration; `env.py` takes the connection from it."""
    config = Config()
    config.set_main_option("script_location", "botmeter.readside:migrations")
    config.attributes["connection"] = connection
    return config
