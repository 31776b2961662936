"""Reports of changed deliveries, on their way to the topic `botmeter.deliveries`.

A report is stored in the transaction that makes the change, and published afterwards, in order. After a crash it may be
published twice, with the same `ce_id`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, insert, select

from botmeter.contracts.catalogue import DELIVERIES
from botmeter.contracts.delivery import Delivery
from botmeter.notify.database import reading
from botmeter.notify.notices import facts_of
from botmeter.notify.recipients import masked
from botmeter.notify.tables import reports as table

#: Reports published at a time.
BATCH: Final = 500


def add(connection: Connection, delivery: Mapping[str, Any], now_ms: int) -> None:
    """Store the report of a delivery's new state. `delivery` is its row with its notice's `body`."""
    is_sent = delivery["state"] in ("sent", "maybe_twice")
    message = Delivery(
        delivery_id=delivery["delivery_id"],
        account_id=delivery["account_id"],
        at=now_ms,
        alert_id=facts_of(delivery["body"]).alert_id or delivery["notice_id"],
        channel=delivery["channel"],
        recipient=masked(delivery["channel"], delivery["recipient"]),
        state=delivery["state"],
        attempts=delivery["attempts"],
        reason=None if is_sent else delivery["reason"],
    )
    connection.execute(insert(table).values(account_id=message.account_id, body=DELIVERIES.encode(message).decode()))


def unpublished(engine: Engine) -> list[Any]:
    """The oldest reports that are not published yet, in order."""
    with reading(engine) as connection:
        return list(connection.execute(select(table).order_by(table.c.number).limit(BATCH)))


def delete_published(engine: Engine, numbers: Sequence[int]) -> None:
    """Delete reports that have been published."""
    with engine.begin() as connection:
        connection.execute(delete(table).where(table.c.number.in_(numbers)))
