"""Run by alembic; `database.py` passes the connection."""

from __future__ import annotations

from alembic import context

from botmeter.notify.tables import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    version_table=VERSION_TABLE,
)
context.run_migrations()
