"""Lists deliveries and their states from the outbox, for operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, select

from botmeter.contracts.instants import rfc3339
from botmeter.notify.database import reading
from botmeter.notify.tables import deliveries, notices

STATES: Final = ("queued", "sending", "retrying", "sent", "maybe_twice", "failed", "skipped")


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries; an empty field excludes none."""

    states: Sequence[str] = ()
    account_id: str = ""
    delivery_ids: Sequence[str] = ()
    limit: int = 100


def find(engine: Engine, wanted: DeliveryFilter) -> list[dict[str, Any]]:
    """The deliveries, the latest change first, with their notice's kind and time."""
    statement = (
        select(deliveries, notices.c.kind, notices.c.at_ms)
        .join_from(deliveries, notices)
        .order_by(deliveries.c.changed_at_ms.desc(), deliveries.c.delivery_id)
        .limit(wanted.limit)
    )
    if wanted.states:
        statement = statement.where(deliveries.c.state.in_(wanted.states))
    if wanted.account_id:
        statement = statement.where(deliveries.c.account_id == wanted.account_id)
    if wanted.delivery_ids:
        statement = statement.where(deliveries.c.delivery_id.in_(wanted.delivery_ids))
    with reading(engine) as connection:
        return [_as_dict(row) for row in connection.execute(statement).mappings()]


def _as_dict(row: Any) -> dict[str, Any]:
    return {
        "delivery_id": row["delivery_id"],
        "state": row["state"],
        "account_id": row["account_id"],
        "kind": row["kind"],
        "channel": row["channel"],
        "recipient": row["recipient"],
        "at": rfc3339(row["at_ms"]),
        "changed_at": rfc3339(row["changed_at_ms"]),
        "next_at": None if row["next_at_ms"] is None else rfc3339(row["next_at_ms"]),
        "attempts": row["attempts"],
        "unanswered": row["unanswered"],
        "reason": row["reason"],
    }
