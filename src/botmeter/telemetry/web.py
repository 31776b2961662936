"""The metrics of `botmeter web`."""

from __future__ import annotations

from typing import Final

from botmeter.telemetry.described import GaugeOf, HistogramOf

_BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS: Final = HistogramOf(
    "botmeter_web_request_seconds",
    "From the arrival of a request until its answer begins, by route and status.",
    ("method", "route", "status"),
    _BUCKETS_S,
)
STREAMS: Final = GaugeOf("botmeter_web_answers_open", "Requests that are being answered, live pages among them.")
READY: Final = GaugeOf("botmeter_web_entitlement_ready", "1 once entitlement is known, 0 while the journal is read.")
READ_SIDE_LAG: Final = GaugeOf(
    "botmeter_web_read_side_lag_seconds",
    "How old the numbers of page and API may be, by the partition that lags most; missing while unknown.",
)
