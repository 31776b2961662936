"""Run by alembic: upgrades within the connection that `migrate` opened."""

from alembic import context

from botmeter.readside.migrations import VERSION_TABLE
from botmeter.readside.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite changes a table by recreating it
)
context.run_migrations()
