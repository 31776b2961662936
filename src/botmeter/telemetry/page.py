"""Generates docs/metrics.md from the table: `python -m botmeter.telemetry.page > docs/metrics.md`."""

from __future__ import annotations

import sys
from typing import Final

from botmeter.telemetry.described import Described
from botmeter.telemetry.table import TABLE

_BEFORE: Final = """\
# Metrics

<!-- Made by `python -m botmeter.telemetry.page > docs/metrics.md`; a test says when it is out of date. -->

Every process serves its metrics at `/metrics`, in the text format of Prometheus. A counter starts at 0 with its
process; a histogram has `_bucket`, `_sum` and `_count`. A metric by partition is exported by the partition's worker.

| process | where |
| --- | --- |
| `botmeter worker` | port `BOTMETER_WEB_PORT`, 6066 |
| `botmeter notify` | port `BOTMETER_NOTIFY_PORT`, 6067 |
| `botmeter project` | port `BOTMETER_READSIDE_PORT`, none unless it is set |
| `botmeter web` | port `BOTMETER_HTTP_METRICS_PORT`, none unless it is set |
| `botmeter verify --follow` | port given by `--metrics-port` |
"""


def page() -> str:
    """Returns the whole page as Markdown."""
    return _BEFORE + "".join(f"\n## {process}\n\n{_rows(metrics)}" for process, metrics in TABLE.items())


def _rows(metrics: tuple[Described, ...]) -> str:
    lines = ["| name | type | labels | unit | meaning |", "| --- | --- | --- | --- | --- |"]
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.unit} | {metric.meaning} |")
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(page())
