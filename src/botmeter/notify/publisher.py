"""Writes reports of deliveries to the topic, oldest first."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import Engine

from botmeter.contracts.catalogue import DELIVERIES
from botmeter.kafka.writer import Written
from botmeter.notify import reports


class Writes(Protocol):
    """Where reports go."""

    def write(self, records: list[Written]) -> None:
        """Return when they are there."""


class Publisher:
    """Publishes what waits; for one thread."""

    def __init__(self, engine: Engine, writer: Writes) -> None:
        self._engine = engine
        self._writer = writer

    def publish_waiting(self) -> int:
        """Write the oldest reports and forget them; how many there were. Raises what the writer raises."""
        rows = reports.waiting(self._engine)
        if rows:
            self._writer.write([_record(row.account_id, row.body.encode()) for row in rows])
            reports.forget(self._engine, [row.number for row in rows])
        return len(rows)


def _record(account_id: str, body: bytes) -> Written:
    return Written(account_id.encode(), body, DELIVERIES.headers(DELIVERIES.decode(body), None))
