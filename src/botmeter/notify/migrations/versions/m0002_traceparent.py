"""Notices keep the trace context of the input they follow from, so that each attempt belongs to its trace."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; notices from before have no trace."""
    op.add_column("notify_notices", sa.Column("traceparent", sa.String))
