"""The first tables of the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create all tables."""
    _make_notices_and_deliveries()
    op.create_table(
        "notify_offsets",
        sa.Column("topic", sa.String, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        sa.Column("quiet_before_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", name="pk_notify_offsets"),
    )
    op.create_table(
        "notify_reports",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_notify_reports"),
    )
    op.create_table(
        "notify_unreadable",
        sa.Column("topic", sa.String, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("record_offset", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("recorded_at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", "record_offset", name="pk_notify_unreadable"),
    )
    op.create_table(
        "notify_accounts",
        sa.Column("account_id", sa.String, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("time_zone", sa.String, nullable=False),
        sa.Column("contacts", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_notify_accounts"),
    )


def _make_notices_and_deliveries() -> None:
    op.create_table(
        "notify_notices",
        sa.Column("notice_id", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("account_id", sa.String, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("recorded_at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("notice_id", name="pk_notify_notices"),
    )
    op.create_table(
        "notify_deliveries",
        sa.Column("delivery_id", sa.String, nullable=False),
        sa.Column("notice_id", sa.String, nullable=False),
        sa.Column("account_id", sa.String, nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("recipient", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("locale", sa.String, nullable=False),
        sa.Column("time_zone", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("unanswered", sa.Integer, nullable=False),
        sa.Column("next_at_ms", sa.BigInteger),
        sa.Column("give_up_at_ms", sa.BigInteger, nullable=False),
        sa.Column("claim", sa.String, nullable=False),
        sa.Column("is_past_return", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_notify_deliveries"),
        sa.ForeignKeyConstraint(["notice_id"], ["notify_notices.notice_id"], name="fk_notify_deliveries_notice_id"),
    )
    op.create_index("ix_notify_deliveries_due", "notify_deliveries", ["channel", "next_at_ms"])
    op.create_index("ix_notify_deliveries_state", "notify_deliveries", ["state", "changed_at_ms"])
    op.create_index("ix_notify_deliveries_notice_id", "notify_deliveries", ["notice_id"])
    op.create_index("ix_notify_deliveries_account_id", "notify_deliveries", ["account_id"])
