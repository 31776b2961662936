"""What a witness that keeps watching tells Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from botmeter.errors import ConfigurationError
from botmeter.verification.findings import Findings


class WitnessMetrics:
    """Reads the findings whenever it is asked."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        #: When the last round ended and how long it took, seconds.
        self.round_ended_at = 0.0
        self.round_s = 0.0

    def serve(self, port: int) -> None:
        """Serves `/metrics` from a thread of its own. Raises ConfigurationError when the port is taken."""
        registry = CollectorRegistry()
        registry.register(self)
        try:
            start_http_server(port, registry=registry)
        except OSError as error:
            raise ConfigurationError(f"--metrics-port {port}: {error.strerror}") from error

    def collect(self) -> Iterator[Metric]:
        """For prometheus_client."""
        findings = self._findings
        differences = CounterMetricFamily(
            "botmeter_verify_differences", "Outputs that are not what the inputs lead to.", labels=["topic", "kind"]
        )
        for (topic, kind), count in list(findings.counts.items()):
            differences.add_metric([topic, kind], count)
        outputs = CounterMetricFamily(
            "botmeter_verify_outputs", "Outputs that are what the inputs lead to.", labels=["topic"]
        )
        for topic, types in list(findings.confirmed.items()):
            outputs.add_metric([topic], types.total())
        yield differences
        yield outputs
        yield CounterMetricFamily(
            "botmeter_verify_interactions", "Interactions recomputed.", value=findings.interactions
        )
        yield CounterMetricFamily(
            "botmeter_verify_overshoot_sessions", "Sessions charged beyond an allowance.", value=findings.overshoot
        )
        yield GaugeMetricFamily(
            "botmeter_verify_up_to_timestamp_seconds",
            "Broker's time of the latest interaction recomputed.",
            value=findings.verified_up_to / 1000,
        )
        yield GaugeMetricFamily(
            "botmeter_verify_round_ended_timestamp_seconds", "When the last round ended.", value=self.round_ended_at
        )
        yield GaugeMetricFamily("botmeter_verify_round_seconds", "How long the last round took.", value=self.round_s)
