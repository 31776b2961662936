"""Describes each metric once, for the code that exports it and for docs/metrics.md.

Names follow the conventions of Prometheus: base units, and the unit at the end of the name; `_total` for counters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily


@dataclass(frozen=True, slots=True)
class Described:
    """A metric: its name as it is scraped, what it means, and its labels."""

    kind: ClassVar[str]

    name: str
    meaning: str
    labels: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """The unit that the name ends with: seconds, bytes, a timestamp; empty for a plain number."""
        name = self.name.removesuffix("_total")
        if name.endswith(("_timestamp_seconds", "_time_seconds")):
            return "seconds since 1970, UTC"
        return next((unit for unit in ("seconds", "bytes", "ratio") if name.endswith(f"_{unit}")), "")

    @property
    def samples(self) -> tuple[str, ...]:
        """The names of the series that Prometheus stores."""
        return (self.name,)


@dataclass(frozen=True, slots=True)
class CounterOf(Described):
    """Only grows while the process runs."""

    kind: ClassVar[str] = "counter"

    def family(self, value: float | None = None) -> CounterMetricFamily:
        """Returns the family for one scrape: empty, for the caller to add samples, or with `value` as the only one."""
        return CounterMetricFamily(self.name, self.meaning, value=value, labels=self.labels or None)

    def counter(self, registry: CollectorRegistry) -> Counter:
        """Returns a counter that the process increments."""
        return Counter(self.name.removesuffix("_total"), self.meaning, self.labels, registry=registry)


@dataclass(frozen=True, slots=True)
class GaugeOf(Described):
    """Goes up and down."""

    kind: ClassVar[str] = "gauge"

    def family(self, value: float | None = None) -> GaugeMetricFamily:
        """Returns the family for one scrape: empty, for the caller to add samples, or with `value` as the only one."""
        return GaugeMetricFamily(self.name, self.meaning, value=value, labels=self.labels or None)


@dataclass(frozen=True, slots=True)
class HistogramOf(Described):
    """How often a value was at most as large as each bucket."""

    kind: ClassVar[str] = "histogram"

    buckets: tuple[float, ...] = ()

    def histogram(self, registry: CollectorRegistry) -> Histogram:
        """Returns a histogram that the process feeds with values."""
        return Histogram(self.name, self.meaning, self.labels, registry=registry, buckets=self.buckets)

    @property
    def samples(self) -> tuple[str, ...]:
        """Buckets, sum and count."""
        return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")
