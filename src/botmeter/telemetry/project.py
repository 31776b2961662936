"""The metrics of the projection: of `botmeter project`, and of `botmeter web` where that projects."""

from __future__ import annotations

from typing import Final

from botmeter.telemetry.described import CounterOf, GaugeOf

EVENTS: Final = CounterOf("botmeter_project_events_total", "Events of the journal written to the database.")
LEFT: Final = GaugeOf(
    "botmeter_project_left_records",
    "Records of journal and deliveries still to be read, control records included; missing while unknown.",
)
WRITTEN: Final = GaugeOf(
    "botmeter_project_written_timestamp_seconds",
    "When the projection last wrote to the database; it writes once a second, also without records. "
    "It stands still while another projection writes. At first, the start of the process.",
)
LEVEL: Final = GaugeOf(
    "botmeter_project_level_timestamp_seconds", "When all of the journal was last in the database; at first, the start."
)
