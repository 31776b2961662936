"""Writes reports of deliveries to the topic, oldest first."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import Engine

from botmeter.contracts.catalogue import DELIVERIES
from botmeter.kafka.writer import Written
from botmeter.notify import reports


class RecordWriter(Protocol):
    """Writes records to a topic."""

    def write(self, records: list[Written]) -> None:
        """Return when the cluster has acknowledged them."""


class Publisher:
    """Publishes the reports in the outbox; for one thread."""

    def __init__(self, engine: Engine, writer: RecordWriter) -> None:
        self._engine = engine
        self._writer = writer

    def publish_batch(self) -> int:
        """Publish the oldest reports, delete them and return their number. Raises what the writer raises."""
        rows = reports.unpublished(self._engine)
        if rows:
            self._writer.write([_record(row.account_id, row.body.encode()) for row in rows])
            reports.delete_published(self._engine, [row.number for row in rows])
        return len(rows)


def _record(account_id: str, body: bytes) -> Written:
    return Written(account_id.encode(), body, DELIVERIES.headers(DELIVERIES.decode(body), None))
