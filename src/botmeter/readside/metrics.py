"""The Prometheus metrics of a projection."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from botmeter.readside.projection import Progress
from botmeter.telemetry import project


class ProjectionMetrics(Collector):
    """Keeps the latest progress. The count of records continues when the projection is restarted."""

    def __init__(self) -> None:
        self._latest: Progress | None = None
        self._records_before = 0
        self._written_at = self._level_at = time.time()

    def take(self, progress: Progress) -> None:
        """Records progress that the projection reported."""
        if self._latest is not None and progress.records < self._latest.records:
            self._records_before += self._latest.records
        self._latest, self._written_at = progress, time.time()
        if progress.is_level:
            self._level_at = self._written_at

    def collect(self) -> Iterator[Metric]:
        """Called by Prometheus' registry at each scrape."""
        latest = self._latest
        yield project.EVENTS.family(self._records_before + (latest.records if latest else 0))
        if latest is not None and latest.left is not None:
            yield project.LEFT.family(latest.left)
        yield project.WRITTEN.family(self._written_at)
        yield project.LEVEL.family(self._level_at)
