"""The notifier's metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine, func, select

from botmeter.notify.database import reading
from botmeter.notify.outbox import Finished
from botmeter.notify.recipients import ChannelName
from botmeter.notify.tables import deliveries, reports, unreadable
from botmeter.telemetry import notify
from botmeter.telemetry.process import register_process


class Metrics:
    """Counts of this notifier since its start, and the state of the outbox that all notifiers share."""

    def __init__(self, engine: Engine, clock_ms: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_OutboxState(engine, clock_ms))
        register_process(self.registry)
        self._attempts = notify.ATTEMPTS.counter(self.registry)
        for channel in get_args(ChannelName):  # exported as 0 from the start, so that the first one is an increase
            for state in ("sent", "maybe_twice", "retrying", "failed"):
                self._attempts.labels(channel, state)
        self._delay = notify.DELAY.histogram(self.registry)
        self._lost_claims = notify.LOST_CLAIMS.counter(self.registry)

    def finished(self, finished: Finished) -> None:
        """Counts an attempt that has ended."""
        self._attempts.labels(finished.channel, finished.state).inc()
        if finished.state in ("sent", "maybe_twice"):
            self._delay.labels(finished.channel).observe(finished.delay_ms / 1000)

    def lost_claim(self) -> None:
        """Counts a claim that ended before its sender did."""
        self._lost_claims.inc()


class _OutboxState(Collector):
    """Read from the database at each scrape."""

    def __init__(self, engine: Engine, clock_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._clock_ms = clock_ms

    def collect(self) -> Iterator[Metric]:
        with reading(self._engine) as connection:
            states = connection.execute(
                select(deliveries.c.channel, deliveries.c.state, func.count()).group_by(
                    deliveries.c.channel, deliveries.c.state
                )
            ).all()
            oldest = connection.execute(
                select(deliveries.c.channel, func.min(deliveries.c.changed_at_ms))
                .where(deliveries.c.next_at_ms.is_not(None))
                .group_by(deliveries.c.channel)
            ).all()
            unpublished = connection.execute(select(func.count()).select_from(reports)).scalar_one()
            bad = connection.execute(select(func.count()).select_from(unreadable)).scalar_one()
        by_state, oldest_waiting = notify.DELIVERIES.family(), notify.OLDEST_WAITING.family()
        for channel, state, count in states:
            by_state.add_metric([channel, state], count)
        for channel, changed_at_ms in oldest:
            oldest_waiting.add_metric([channel], max(0.0, (self._clock_ms() - changed_at_ms) / 1000))
        yield by_state
        yield oldest_waiting
        yield notify.UNPUBLISHED_REPORTS.family(unpublished)
        yield notify.UNREADABLE_RECORDS.family(bad)


def now_ms() -> int:
    """The clock, UTC ms."""
    return time.time_ns() // 1_000_000
