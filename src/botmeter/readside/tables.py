"""The tables. Moments are UTC ms; every row names the journal record it comes from.

There are two sets; the last letter of a table's name is its set. One set is current, a rebuild writes the other. The
table `readside_generation` names the current set, so that a rebuild takes over in one statement.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Literal

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects import sqlite

Generation = Literal["a", "b"]
GENERATIONS: Final[tuple[Generation, Generation]] = ("a", "b")

#: SQLite uses only an INTEGER key as its row id; PostgreSQL needs 64 bits.
_RowId = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


class HexId(TypeDecorator[str]):
    """Hex digits, stored as half as many bytes: millions of session ids are indexed."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """From hex digits to bytes."""
        del dialect
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        """From bytes to hex digits."""
        del dialect
        return None if value is None else value.hex()


@dataclass(frozen=True, slots=True)
class Tables:
    """One set of tables."""

    generation: Generation
    accounts: Table
    cycles: Table
    sessions: Table
    usage_hours: Table
    usage_days: Table
    history: Table
    handoffs: Table
    deliveries: Table
    progress: Table
    lease: Table

    def all(self) -> list[Table]:
        """Every table of the set."""
        return [getattr(self, field.name) for field in fields(self) if field.name != "generation"]


metadata = MetaData()

#: One row: which set of tables is current.
generation_table = Table(
    "readside_generation",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("generation", String(1), nullable=False),
)

#: Belongs to no set: login links to the page that were used, until they would have expired (UTC ms).
used_links_table = Table(
    "readside_used_links",
    metadata,
    Column("link_id", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
)


def _cause_columns() -> tuple[Column[str], Column[int], Column[str]]:
    """What caused an event; the partition is that of the journal record. Offset and id are null for the timer."""
    return (
        Column("cause_topic", String(249)),
        Column("cause_offset", BigInteger),
        Column("cause_id", String(256)),
    )


def _accounts(name: str) -> Table:
    return Table(
        name,
        metadata,
        # Of the record that opened the account: offset * 1024 + partition. Short, and the same after a rebuild.
        Column("account_no", _RowId, primary_key=True, autoincrement=False),
        Column("account_id", String(256), nullable=False),
        Column("partition", Integer, nullable=False),
        # The record of the account's last event, and its time.
        Column("journal_offset", BigInteger, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
        Column("opened_at", BigInteger, nullable=False),
        # The state: what it is, since when, why, and the journal record that changed it.
        Column("state", String(16), nullable=False),
        Column("state_since", BigInteger, nullable=False),
        Column("state_reason", String(40), nullable=False),
        Column("state_offset", BigInteger, nullable=False),
        # The columns that lists show and sort by.
        Column("plan", String(16), nullable=False),
        Column("pool", String(16), nullable=False),
        Column("total", BigInteger, nullable=False),
        Column("used", BigInteger, nullable=False),
        Column("remaining", BigInteger, nullable=False),
        Column("used_permille", Integer, nullable=False),
        Column("packs", Integer, nullable=False),
        Column("packs_next_cycle", Integer, nullable=False),
        Column("cycle_number", Integer, nullable=False),
        Column("cycle_starts_at", BigInteger, nullable=False),
        Column("cycle_ends_at", BigInteger, nullable=False),
        Column("time_zone", String(64), nullable=False),
        Column("last_session_at", BigInteger),
        # Recent sessions, older ones weighing less, as of `updated_at`. Pace, likely run-out and risk come from it.
        Column("recent_weight", Double, nullable=False),
        Column("pace_per_day", Integer, nullable=False),
        Column("runs_out_at", BigInteger),
        Column("risk", BigInteger, nullable=False),
        # The whole account as JSON, from which the projection continues.
        Column("account", Text, nullable=False),
        Index(f"ix_{name}_account_id", "account_id", unique=True),
        # With the id, so that a search reads the index alone.
        Index(f"ix_{name}_risk", "risk", "account_no", "account_id"),
        Index(f"ix_{name}_state", "state", "risk", "account_no", "account_id"),
    )


def _cycles(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("account_no", BigInteger, primary_key=True, autoincrement=False),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("journal_offset", BigInteger, nullable=False),
        Column("starts_at", BigInteger, nullable=False),
        Column("ends_at", BigInteger, nullable=False),
        Column("billing_cycle", String(16), nullable=False),
        # Sessions into and out of the pool, in this cycle; opening + in - out = closing.
        Column("opening", BigInteger, nullable=False),
        Column("renewed", BigInteger, nullable=False),
        Column("granted", BigInteger, nullable=False),
        Column("purchased", BigInteger, nullable=False),
        Column("credited", BigInteger, nullable=False),
        Column("sessions", BigInteger, nullable=False),
        # Those of the sessions that came after the cycle's end: taken from what had expired.
        Column("late_sessions", BigInteger, nullable=False),
        Column("forfeited", BigInteger, nullable=False),
        Column("expired", BigInteger, nullable=False),
        Column("previews", BigInteger, nullable=False),
        Column("handoffs", BigInteger, nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Column("currency", String(3)),
        sqlite_with_rowid=False,
    )


def _sessions(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("id", _RowId, primary_key=True, autoincrement=True),
        Column("account_no", BigInteger, nullable=False),
        Column("journal_offset", BigInteger, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("session_id", HexId, nullable=False),
        Column("end_user_id", String(256), nullable=False),
        Column("preview", Boolean, nullable=False),
        Column("started_at", BigInteger, nullable=False),
        Column("cycle_number", Integer, nullable=False),
        Column("pool", String(16), nullable=False),
        # After this session; `total` is that of the cycle it counts in.
        Column("used", BigInteger, nullable=False),
        Column("total", BigInteger, nullable=False),
        Column("bot_id", String(256), nullable=False),
        Column("conversation_id", String(256), nullable=False),
        Column("widget", String(16), nullable=False),
        *_cause_columns(),
        Index(f"ix_{name}_started_at", "account_no", "started_at", "journal_offset"),
        Index(f"ix_{name}_end_user_id", "account_no", "end_user_id", "started_at", "journal_offset"),
        Index(f"ix_{name}_session_id", "session_id"),
    )


def _usage(name: str) -> Table:
    """Sessions by bucket of the account's own time: `bucket` is the start of the local hour or day, UTC ms."""
    return Table(
        name,
        metadata,
        Column("account_no", BigInteger, primary_key=True, autoincrement=False),
        Column("bucket", BigInteger, primary_key=True, autoincrement=False),
        Column("widget", String(16), primary_key=True),
        Column("bot_id", String(256), primary_key=True),
        Column("preview", Boolean, primary_key=True, autoincrement=False),
        Column("sessions", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _history(name: str) -> Table:
    """Every event of an account except its sessions and the chats handed off."""
    return Table(
        name,
        metadata,
        Column("id", _RowId, primary_key=True, autoincrement=True),
        Column("account_no", BigInteger, nullable=False),
        Column("journal_offset", BigInteger, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("type", String(40), nullable=False),
        Column("cycle_number", Integer, nullable=False),
        # The pool after the event, and by how many sessions the event changed the remaining ones.
        Column("pool", String(16), nullable=False),
        Column("total", BigInteger, nullable=False),
        Column("used", BigInteger, nullable=False),
        Column("moved", BigInteger, nullable=False),
        Column("packs", Integer, nullable=False),
        Column("amount_minor", BigInteger),
        Column("currency", String(3)),
        Column("command_id", String(256)),
        Column("issued_by", Text),
        *_cause_columns(),
        Column("before_offset", BigInteger),
        # The event's own fields, as JSON.
        Column("detail", Text, nullable=False),
        # In the order of the journal: a broker's clock may step back, so moments are no order.
        Index(f"ix_{name}_journal_offset", "account_no", "journal_offset"),
        Index(f"ix_{name}_type", "account_no", "type", "journal_offset"),
        Index(f"ix_{name}_command_id", "account_no", "command_id"),
    )


def _handoffs(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("id", _RowId, primary_key=True, autoincrement=True),
        Column("account_no", BigInteger, nullable=False),
        Column("journal_offset", BigInteger, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("handoff_id", String(512), nullable=False),
        Column("cycle_number", Integer, nullable=False),
        Column("conversation_id", String(256), nullable=False),
        Column("end_user_id", String(256), nullable=False),
        Column("bot_id", String(256), nullable=False),
        Column("reason", String(32), nullable=False),
        *_cause_columns(),
        Index(f"ix_{name}_journal_offset", "account_no", "journal_offset"),
    )


def _deliveries(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("delivery_id", String(512), primary_key=True),
        Column("account_id", String(256), nullable=False),
        Column("alert_id", String(512), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("channel", String(16), nullable=False),
        Column("recipient", Text, nullable=False),
        Column("state", String(16), nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("reason", Text),
        Column("topic_offset", BigInteger, nullable=False),
        Index(f"ix_{name}_alert_id", "alert_id"),
        Index(f"ix_{name}_at", "account_id", "at"),
    )


def _progress(name: str) -> Table:
    """How far each partition is projected; written in the transaction that writes the rows."""
    return Table(
        name,
        metadata,
        Column("topic", String(249), primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        # Kafka's id: it differs once the topic was deleted and recreated.
        Column("topic_id", String(64), nullable=False),
        # Everything below it is in the rows.
        Column("next_offset", BigInteger, nullable=False),
        Column("high_watermark", BigInteger, nullable=False),
        # Of the last event projected; null before the first.
        Column("event_at", BigInteger),
        # By the clock of the projection: when last written, and when last known to contain all that is committed.
        Column("written_at", BigInteger, nullable=False),
        Column("level_at", BigInteger),
    )


def _lease(name: str) -> Table:
    """One row: which projection writes, and until when (by its clock); others stand by."""
    return Table(
        name,
        metadata,
        Column("id", SmallInteger, primary_key=True, autoincrement=False),
        Column("owner", String(64), nullable=False),
        Column("expires_at", BigInteger, nullable=False),
    )


def _tables(letter: Generation) -> Tables:
    def name(stem: str) -> str:
        return f"readside_{stem}_{letter}"

    return Tables(
        generation=letter,
        accounts=_accounts(name("accounts")),
        cycles=_cycles(name("cycles")),
        sessions=_sessions(name("sessions")),
        usage_hours=_usage(name("usage_hours")),
        usage_days=_usage(name("usage_days")),
        history=_history(name("history")),
        handoffs=_handoffs(name("handoffs")),
        deliveries=_deliveries(name("deliveries")),
        progress=_progress(name("progress")),
        lease=_lease(name("lease")),
    )


TABLES: Final[dict[Generation, Tables]] = {letter: _tables(letter) for letter in GENERATIONS}
