"""The Prometheus metrics of `botmeter verify --follow`."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric

from botmeter.errors import ConfigurationError
from botmeter.telemetry import witness
from botmeter.telemetry.process import register_process
from botmeter.verification.findings import Findings


class WitnessMetrics:
    """Exports the findings at each scrape."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        #: When the last round ended (before the first: the start), and how long it took; seconds.
        self.round_ended_at = time.time()
        self.round_s = 0.0

    def serve(self, port: int) -> None:
        """Serves `/metrics` from a thread of its own. Raises ConfigurationError when the port is taken."""
        registry = CollectorRegistry()
        registry.register(self)
        register_process(registry)
        try:
            start_http_server(port, registry=registry)
        except OSError as error:
            raise ConfigurationError(f"--metrics-port {port}: {error.strerror}") from error

    def collect(self) -> Iterator[Metric]:
        """Called by prometheus_client at each scrape."""
        findings = self._findings
        differences, outputs = witness.DIFFERENCES.family(), witness.OUTPUTS.family()
        for (topic, kind), count in list(findings.counts.items()):
            differences.add_metric([topic, kind], count)
        for topic, types in list(findings.confirmed.items()):
            outputs.add_metric([topic], types.total())
        yield differences
        yield outputs
        yield witness.INTERACTIONS.family(findings.interactions)
        yield witness.OVERSHOOT.family(findings.overshoot)
        yield witness.UP_TO.family(findings.verified_up_to / 1000)
        yield witness.ROUND_ENDED.family(self.round_ended_at)
        yield witness.ROUND.family(self.round_s)
