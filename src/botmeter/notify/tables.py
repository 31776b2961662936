"""The outbox's tables. A change here needs a migration; a test compares the two.

All moments are UTC ms by the notifier's clock.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

METADATA: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(column_0_label)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)
#: Alembic's table; other parts of botmeter may keep tables in the same database.
VERSION_TABLE: Final = "notify_schema"
#: SQLite auto-increments only a column of type INTEGER.
_NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")

#: Every notice, once each; a notice that is already here is not sent again (`T2`).
notices: Final = Table(
    "notify_notices",
    METADATA,
    Column("notice_id", String, primary_key=True, doc="The alert's `ce_id`."),
    Column("kind", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False, doc="When it happened."),
    Column("body", Text, nullable=False, doc="The message as published, without contacts, JSON."),
    Column("recorded_at_ms", BigInteger, nullable=False),
    Column("traceparent", String, doc="W3C trace context of the input it follows from; null when that had none."),
)

#: One row for each notice and recipient. `next_at_ms` is when the delivery is due or, while it is being sent, when the
#: claim ends; null when nothing is left to do.
deliveries: Final = Table(
    "notify_deliveries",
    METADATA,
    Column("delivery_id", String, primary_key=True, doc="Made of notice, channel and recipient."),
    Column("notice_id", String, ForeignKey("notify_notices.notice_id"), nullable=False, index=True),
    Column("account_id", String, nullable=False, index=True),
    Column("channel", String, nullable=False),
    Column("recipient", String, nullable=False, doc="E-mail address or URL."),
    Column("name", String, nullable=False),
    Column("locale", String, nullable=False),
    Column("time_zone", String, nullable=False),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False, doc="All attempts."),
    Column("tries", Integer, nullable=False, doc="Attempts since it was queued, or queued again."),
    Column("unanswered", Integer, nullable=False, doc="Attempts that may or may not have arrived."),
    Column("next_at_ms", BigInteger),
    Column("give_up_at_ms", BigInteger, nullable=False),
    Column("claim", String, nullable=False, doc="Random token of the sender that has claimed it; empty when none has."),
    Column("is_past_return", Integer, nullable=False, doc="1 from just before the point of no return."),
    Column("reason", Text, nullable=False, doc="The last answer or error."),
    Column("changed_at_ms", BigInteger, nullable=False),
    Index("ix_notify_deliveries_due", "channel", "next_at_ms"),
    Index("ix_notify_deliveries_state", "state", "changed_at_ms"),
)

#: The offsets to continue from, written in the transaction that stored the records before them.
offsets: Final = Table(
    "notify_offsets",
    METADATA,
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    Column(
        "quiet_before_ms",
        BigInteger,
        nullable=False,
        doc="Older alerts precede the notifier's first start and are not sent.",
    ),
)

#: Changes of deliveries that are still to be published, in order.
reports: Final = Table(
    "notify_reports",
    METADATA,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("account_id", String, nullable=False),
    Column("body", Text, nullable=False, doc="The message, JSON."),
)

#: Records of the topics that cannot be read as messages of the contract.
unreadable: Final = Table(
    "notify_unreadable",
    METADATA,
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("record_offset", BigInteger, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("recorded_at_ms", BigInteger, nullable=False),
)

#: The contacts that the journal last named: for notices that carry none, such as a resumption.
accounts: Final = Table(
    "notify_accounts",
    METADATA,
    Column("account_id", String, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("time_zone", String, nullable=False),
    Column("contacts", Text, nullable=False, doc="JSON."),
)
