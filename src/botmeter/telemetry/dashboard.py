"""The dashboard for Grafana: `python -m botmeter.telemetry.dashboard > deploy/grafana-dashboard.json`."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any, Final

from botmeter.telemetry import notify, process, project, web, witness, worker
from botmeter.telemetry.described import Described, HistogramOf

#: Of 24 columns; three panels stand side by side.
_WIDTH: Final = 8
_HEIGHT: Final = 8
_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph: its expressions, each with the label of its line, and the unit as Grafana names it."""

    title: str
    unit: str
    lines: tuple[tuple[str, str], ...]
    kind: str = "timeseries"


def _rate(metric: Described, by: str) -> str:
    return f"sum by ({by}) (rate({metric.name}[$__rate_interval]))"


def _quantile(metric: HistogramOf, quantile: float, by: str = "", where: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    bucket, _, _ = metric.samples
    return f"histogram_quantile({quantile}, sum by ({labels}) (rate({bucket}{where}[$__rate_interval])))"


_AT_A_GLANCE: Final = (
    Panel("Partitions by state", "short", ((f"sum by (status) ({worker.TASKS.name})", "{{status}}"),), "stat"),
    Panel("Worst lag", "s", ((f"max({worker.LAG.name})", "lag"),), "stat"),
    Panel("Interactions a second", "ops", ((f"sum({_rate(worker.INTERACTIONS, 'outcome')})", "interactions"),), "stat"),
)
_WORKERS: Final = (
    Panel("Interactions, by what became of them", "ops", ((_rate(worker.INTERACTIONS, "outcome"), "{{outcome}}"),)),
    Panel("Lag by partition", "s", ((f"max by (partition) ({worker.LAG.name})", "{{partition}}"),)),
    Panel("Dead letters, by reason", "ops", ((_rate(worker.DEAD_LETTERS, "reason"), "{{reason}}"),)),
    Panel(
        "End to end: age of the oldest record of a batch",
        "s",
        (
            (_quantile(worker.STAGE, 0.5, "stage"), "{{stage}}, half"),
            (_quantile(worker.STAGE, 0.99, "stage"), "{{stage}}, 99 %"),
        ),
    ),
    Panel(
        "Transactions: duration",
        "s",
        ((_quantile(worker.COMMIT, 0.5), "half"), (_quantile(worker.COMMIT, 0.99), "99 %")),
    ),
    Panel(
        "Transactions: records",
        "short",
        ((_quantile(worker.BATCH_RECORDS, 0.5), "half"), (_quantile(worker.BATCH_RECORDS, 0.99), "99 %")),
    ),
    Panel(
        "Transactions a second",
        "ops",
        (
            (_rate(worker.TRANSACTIONS, "instance"), "{{instance}}"),
            (_rate(worker.FAILED_COMMITS, "instance"), "failed"),
        ),
    ),
    Panel("Restore: events left", "short", ((f"sum by (partition) ({worker.RESTORE_LEFT.name})", "{{partition}}"),)),
    Panel(
        "Held in memory",
        "short",
        (
            (f"sum by (instance) ({worker.WAITING.name})", "records waiting, {{instance}}"),
            (f"sum by (instance) ({worker.ACCOUNTS.name})", "accounts, {{instance}}"),
        ),
    ),
)
_STORES: Final = (
    Panel(
        "RocksDB: memory",
        "bytes",
        (
            (f"sum by (instance) ({worker.MEMTABLES.name})", "memtables, {{instance}}"),
            (f"sum by (instance) ({worker.BLOCK_CACHE.name})", "block cache, {{instance}}"),
            (f"sum by (instance) ({worker.INDEXES.name})", "indexes, {{instance}}"),
        ),
    ),
    Panel(
        "RocksDB: disk",
        "bytes",
        (
            (f"sum by (instance) ({worker.DISK.name})", "files, {{instance}}"),
            (f"sum by (instance) ({worker.LIVE.name})", "live, {{instance}}"),
        ),
    ),
    Panel(
        "RocksDB: compaction",
        "bytes",
        ((f"sum by (instance) ({worker.COMPACTION_PENDING.name})", "to be rewritten, {{instance}}"),),
    ),
    Panel("Memory of the processes", "bytes", ((process.RESIDENT.name, "{{job}} {{instance}}"),)),
    Panel("Processors used", "short", ((f"rate({process.CPU.name}[$__rate_interval])", "{{job}} {{instance}}"),)),
    Panel("Versions", "short", ((f"count by (version) ({process.BUILD.name})", "{{version}}"),), "stat"),
)
_BESIDE: Final = (
    Panel("Alerts sent, by outcome", "ops", ((_rate(notify.ATTEMPTS, "channel, state"), "{{channel}} {{state}}"),)),
    Panel(
        "Alerts: from the event to its acceptance",
        "s",
        (
            (_quantile(notify.DELAY, 0.99, "channel"), "99 %, {{channel}}"),
            (notify.OLDEST_WAITING.name, "waits, {{channel}}"),
        ),
    ),
    Panel(
        "Read side: behind for",
        "s",
        ((f"time() - max({project.LEVEL.name})", "behind"), (web.READ_SIDE_LAG.name, "as shown, {{instance}}")),
    ),
    Panel(
        "Requests a second",
        "reqps",
        ((f"sum by (status) (rate({web.REQUESTS.samples[2]}[$__rate_interval]))", "{{status}}"),),
    ),
    Panel("Requests: duration, 99 %", "s", ((_quantile(web.REQUESTS, 0.99, "route"), "{{route}}"),)),
    Panel(
        "Witness: differences", "short", ((f"sum by (topic, kind) ({witness.DIFFERENCES.name})", "{{topic}} {{kind}}"),)
    ),
)
ROWS: Final = {
    "At a glance": _AT_A_GLANCE,
    "Workers": _WORKERS,
    "Stores and processes": _STORES,
    "Notifications, read side, page and witness": _BESIDE,
}


def dashboard() -> dict[str, Any]:
    """Returns the dashboard as Grafana imports it; the user chooses the Prometheus to query there."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        panels.append({"type": "row", "title": title, "gridPos": {"x": 0, "y": top, "w": 24, "h": 1}, "panels": []})
        top += 1
        for number, panel in enumerate(row):
            x, y = number % 3 * _WIDTH, top + number // 3 * _HEIGHT
            panels.append(_panel(panel, {"x": x, "y": y, "w": _WIDTH, "h": _HEIGHT}))
        top += -(-len(row) // 3) * _HEIGHT
    for number, made in enumerate(panels, start=1):
        made["id"] = number
    return {
        "uid": "botmeter",
        "title": "botmeter",
        "tags": ["botmeter"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": panels,
    }


def _panel(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "gridPos": place,
        "datasource": _DATASOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "expr": expression, "legendFormat": legend, "datasource": _DATASOURCE}
            for number, (expression, legend) in enumerate(panel.lines)
        ],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(dashboard(), indent=1) + "\n")
