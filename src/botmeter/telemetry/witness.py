"""The metrics of `botmeter verify --follow --metrics-port`."""

from __future__ import annotations

from typing import Final

from botmeter.telemetry.described import CounterOf, GaugeOf

DIFFERENCES: Final = CounterOf(
    "botmeter_verify_differences_total", "Outputs that differ from the recomputed ones.", ("topic", "kind")
)
OUTPUTS: Final = CounterOf("botmeter_verify_outputs_total", "Outputs that equal the recomputed ones.", ("topic",))
INTERACTIONS: Final = CounterOf("botmeter_verify_interactions_total", "Interactions recomputed.")
OVERSHOOT: Final = CounterOf("botmeter_verify_overshoot_sessions_total", "Sessions charged beyond an allowance.")
UP_TO: Final = GaugeOf("botmeter_verify_up_to_timestamp_seconds", "Broker's time of the latest interaction recomputed.")
ROUND_ENDED: Final = GaugeOf(
    "botmeter_verify_round_ended_timestamp_seconds", "When the last round ended; at first, the start."
)
ROUND: Final = GaugeOf("botmeter_verify_round_seconds", "How long the last round took.")
