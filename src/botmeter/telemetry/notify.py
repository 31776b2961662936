"""The metrics of `botmeter notify`."""

from __future__ import annotations

from typing import Final

from botmeter.telemetry.described import CounterOf, GaugeOf, HistogramOf

#: From a mail that goes at once to one that waits for a server to come back.
_DELAY_BUCKETS_S: Final = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)

ATTEMPTS: Final = CounterOf(
    "botmeter_notify_attempts_total",
    "Attempts, by channel and the delivery's state after it: sent, maybe_twice, retrying, failed.",
    ("channel", "state"),
)
DELAY: Final = HistogramOf(
    "botmeter_notify_delay_seconds",
    "From the moment an alert is about to its acceptance by the mail server or endpoint.",
    ("channel",),
    _DELAY_BUCKETS_S,
)
LOST_CLAIMS: Final = CounterOf(
    "botmeter_notify_lost_claims_total", "Attempts that were given up because the claim had ended."
)
DELIVERIES: Final = GaugeOf("botmeter_notify_deliveries", "Deliveries in the outbox, by state.", ("channel", "state"))
OLDEST_WAITING: Final = GaugeOf(
    "botmeter_notify_oldest_waiting_seconds",
    "For how long nothing has happened to the delivery that waits longest; missing when none waits.",
    ("channel",),
)
UNPUBLISHED_REPORTS: Final = GaugeOf("botmeter_notify_unpublished_reports", "Reports still to be written to the topic.")
UNREADABLE_RECORDS: Final = GaugeOf(
    "botmeter_notify_unreadable_records", "Records read that are no messages of the contract."
)
