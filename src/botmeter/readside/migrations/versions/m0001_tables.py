"""The first tables: the set that is current at first. The other set is created when a rebuild needs it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0001"
down_revision = None

_ROW_ID = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "readside_generation",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.String(length=1), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute(sa.text("INSERT INTO readside_generation (id, generation) VALUES (1, 'a')"))
    _make_accounts()
    _make_cycles()
    _make_sessions()
    _make_usage_hours()
    _make_usage_days()
    _make_history()
    _make_handoffs()
    _make_deliveries()
    _make_progress()
    _make_lease()


def _make_accounts() -> None:
    op.create_table(
        "readside_accounts_a",
        sa.Column("account_no", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("account_id", sa.String(length=256), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("journal_offset", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("state_since", sa.BigInteger(), nullable=False),
        sa.Column("state_reason", sa.String(length=40), nullable=False),
        sa.Column("state_offset", sa.BigInteger(), nullable=False),
        sa.Column("plan", sa.String(length=16), nullable=False),
        sa.Column("pool", sa.String(length=16), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("used_permille", sa.Integer(), nullable=False),
        sa.Column("packs", sa.Integer(), nullable=False),
        sa.Column("packs_next_cycle", sa.Integer(), nullable=False),
        sa.Column("cycle_number", sa.Integer(), nullable=False),
        sa.Column("cycle_starts_at", sa.BigInteger(), nullable=False),
        sa.Column("cycle_ends_at", sa.BigInteger(), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("last_session_at", sa.BigInteger(), nullable=True),
        sa.Column("recent_weight", sa.Double(), nullable=False),
        sa.Column("pace_per_day", sa.Integer(), nullable=False),
        sa.Column("runs_out_at", sa.BigInteger(), nullable=True),
        sa.Column("risk", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_no"),
    )
    op.create_index("ix_readside_accounts_a_account_id", "readside_accounts_a", ["account_id"], unique=True)
    op.create_index(
        "ix_readside_accounts_a_risk", "readside_accounts_a", ["risk", "account_no", "account_id"], unique=False
    )
    op.create_index(
        "ix_readside_accounts_a_state",
        "readside_accounts_a",
        ["state", "risk", "account_no", "account_id"],
        unique=False,
    )


def _make_cycles() -> None:
    op.create_table(
        "readside_cycles_a",
        sa.Column("account_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("journal_offset", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("billing_cycle", sa.String(length=16), nullable=False),
        sa.Column("opening", sa.BigInteger(), nullable=False),
        sa.Column("renewed", sa.BigInteger(), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.Column("purchased", sa.BigInteger(), nullable=False),
        sa.Column("credited", sa.BigInteger(), nullable=False),
        sa.Column("sessions", sa.BigInteger(), nullable=False),
        sa.Column("late_sessions", sa.BigInteger(), nullable=False),
        sa.Column("forfeited", sa.BigInteger(), nullable=False),
        sa.Column("expired", sa.BigInteger(), nullable=False),
        sa.Column("previews", sa.BigInteger(), nullable=False),
        sa.Column("handoffs", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.PrimaryKeyConstraint("account_no", "number"),
        sqlite_with_rowid=False,
    )


def _make_sessions() -> None:
    op.create_table(
        "readside_sessions_a",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("account_no", sa.BigInteger(), nullable=False),
        sa.Column("journal_offset", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("session_id", sa.LargeBinary(), nullable=False),
        sa.Column("end_user_id", sa.String(length=256), nullable=False),
        sa.Column("preview", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("cycle_number", sa.Integer(), nullable=False),
        sa.Column("pool", sa.String(length=16), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("bot_id", sa.String(length=256), nullable=False),
        sa.Column("conversation_id", sa.String(length=256), nullable=False),
        sa.Column("widget", sa.String(length=16), nullable=False),
        sa.Column("cause_topic", sa.String(length=249), nullable=True),
        sa.Column("cause_offset", sa.BigInteger(), nullable=True),
        sa.Column("cause_id", sa.String(length=256), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_readside_sessions_a_end_user_id",
        "readside_sessions_a",
        ["account_no", "end_user_id", "started_at", "journal_offset"],
        unique=False,
    )
    op.create_index("ix_readside_sessions_a_session_id", "readside_sessions_a", ["session_id"], unique=False)
    op.create_index(
        "ix_readside_sessions_a_started_at",
        "readside_sessions_a",
        ["account_no", "started_at", "journal_offset"],
        unique=False,
    )


def _make_usage_hours() -> None:
    op.create_table(
        "readside_usage_hours_a",
        sa.Column("account_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bucket", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("widget", sa.String(length=16), nullable=False),
        sa.Column("bot_id", sa.String(length=256), nullable=False),
        sa.Column("preview", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("sessions", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_no", "bucket", "widget", "bot_id", "preview"),
        sqlite_with_rowid=False,
    )


def _make_usage_days() -> None:
    op.create_table(
        "readside_usage_days_a",
        sa.Column("account_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bucket", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("widget", sa.String(length=16), nullable=False),
        sa.Column("bot_id", sa.String(length=256), nullable=False),
        sa.Column("preview", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("sessions", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_no", "bucket", "widget", "bot_id", "preview"),
        sqlite_with_rowid=False,
    )


def _make_history() -> None:
    op.create_table(
        "readside_history_a",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("account_no", sa.BigInteger(), nullable=False),
        sa.Column("journal_offset", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("cycle_number", sa.Integer(), nullable=False),
        sa.Column("pool", sa.String(length=16), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("moved", sa.BigInteger(), nullable=False),
        sa.Column("packs", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("command_id", sa.String(length=256), nullable=True),
        sa.Column("issued_by", sa.Text(), nullable=True),
        sa.Column("cause_topic", sa.String(length=249), nullable=True),
        sa.Column("cause_offset", sa.BigInteger(), nullable=True),
        sa.Column("cause_id", sa.String(length=256), nullable=True),
        sa.Column("before_offset", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_readside_history_a_command_id", "readside_history_a", ["account_no", "command_id"], unique=False
    )
    op.create_index(
        "ix_readside_history_a_journal_offset", "readside_history_a", ["account_no", "journal_offset"], unique=False
    )
    op.create_index(
        "ix_readside_history_a_type", "readside_history_a", ["account_no", "type", "journal_offset"], unique=False
    )


def _make_handoffs() -> None:
    op.create_table(
        "readside_handoffs_a",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("account_no", sa.BigInteger(), nullable=False),
        sa.Column("journal_offset", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("handoff_id", sa.String(length=512), nullable=False),
        sa.Column("cycle_number", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.String(length=256), nullable=False),
        sa.Column("end_user_id", sa.String(length=256), nullable=False),
        sa.Column("bot_id", sa.String(length=256), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("cause_topic", sa.String(length=249), nullable=True),
        sa.Column("cause_offset", sa.BigInteger(), nullable=True),
        sa.Column("cause_id", sa.String(length=256), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_readside_handoffs_a_journal_offset", "readside_handoffs_a", ["account_no", "journal_offset"], unique=False
    )


def _make_deliveries() -> None:
    op.create_table(
        "readside_deliveries_a",
        sa.Column("delivery_id", sa.String(length=512), nullable=False),
        sa.Column("account_id", sa.String(length=256), nullable=False),
        sa.Column("alert_id", sa.String(length=512), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("topic_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id"),
    )
    op.create_index("ix_readside_deliveries_a_alert_id", "readside_deliveries_a", ["alert_id"], unique=False)
    op.create_index("ix_readside_deliveries_a_at", "readside_deliveries_a", ["account_id", "at"], unique=False)


def _make_progress() -> None:
    op.create_table(
        "readside_progress_a",
        sa.Column("topic", sa.String(length=249), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("topic_id", sa.String(length=64), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("high_watermark", sa.BigInteger(), nullable=False),
        sa.Column("event_at", sa.BigInteger(), nullable=True),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.Column("level_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("topic", "partition"),
    )


def _make_lease() -> None:
    op.create_table(
        "readside_lease_a",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
