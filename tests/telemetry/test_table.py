"""The table of metrics is what the processes tell, and what docs/metrics.md shows."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from botmeter.engine.batch import Batch, Commit
from botmeter.engine.budget import Allowance
from botmeter.engine.processor import Processor
from botmeter.host.metrics import Metrics as WorkerMetrics
from botmeter.notify.database import open_database
from botmeter.notify.metrics import Metrics as NotifyMetrics
from botmeter.readside.metrics import ProjectionMetrics
from botmeter.readside.projection import Progress
from botmeter.telemetry import notify, process, project, witness, worker
from botmeter.telemetry.described import Described
from botmeter.telemetry.page import page
from botmeter.telemetry.table import TABLE, described_in
from botmeter.verification.findings import Findings
from botmeter.verification.metrics import WitnessMetrics
from worker.stub_engine import StubEngine

from .scraped import told

ROOT = Path(__file__).parents[2]
ALL = [metric for metrics in TABLE.values() for metric in metrics]
#: What makes a metric; the rooms take them from the table.
MAKERS = {"CounterMetricFamily", "GaugeMetricFamily", "HistogramMetricFamily", "Counter", "Gauge", "Histogram"}


def of_a_worker(_: Path) -> bytes:
    metrics = WorkerMetrics(cast(Processor, StubEngine()))
    metrics.committed(Commit(Batch([], None, Allowance(0, 0)), is_transaction=True, took_s=0.0, ended_at=1))
    return metrics.render()


def of_a_notifier(directory: Path) -> bytes:
    engine = open_database("", directory / "notify.db")
    page = generate_latest(NotifyMetrics(engine, lambda: time.time_ns() // 1_000_000).registry)
    engine.dispose()
    return page


def of_a_witness(_: Path) -> bytes:
    registry = CollectorRegistry()
    registry.register(WitnessMetrics(Findings()))
    process.register_process(registry)
    return generate_latest(registry)


def of_a_projection(_: Path) -> bytes:
    metrics, registry = ProjectionMetrics(), CollectorRegistry()
    metrics.take(Progress(records=7, next_offsets=9, ends=9, is_level=True))
    registry.register(metrics)
    process.register_process(registry)
    return generate_latest(registry)


PROCESSES: list[tuple[Callable[[Path], bytes], list[ModuleType]]] = [
    (of_a_worker, [worker, process]),
    (of_a_notifier, [notify, process]),
    (of_a_projection, [project, process]),
    (of_a_witness, [witness, process]),
]


@pytest.mark.parametrize(("render", "modules"), PROCESSES)
def test_each_process_tells_the_metrics_of_the_table_and_no_others(
    render: Callable[[Path], bytes], modules: list[ModuleType], tmp_path: Path
) -> None:
    in_table = [metric for module in modules for metric in described_in(module)]
    expected = {metric.name: (metric.kind, metric.meaning) for metric in in_table}
    found = told(render(tmp_path).decode())

    assert found.keys() - expected.keys() == set()
    assert expected.keys() - found.keys() == set()
    ours = {name for name in expected if name.startswith("botmeter_")}
    assert {name: found[name] for name in ours} == {name: expected[name] for name in ours}


def test_no_metric_is_made_outside_the_table() -> None:
    imported = {
        f"{path.relative_to(ROOT)}: {alias.name}"
        for path in (ROOT / "src" / "botmeter").rglob("*.py")
        if path.parent.name != "telemetry"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("prometheus_client")
        for alias in node.names
        if alias.name in MAKERS
    }

    assert imported == set()


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_names_are_as_prometheus_asks_for(metric: Described) -> None:
    assert re.fullmatch(r"(botmeter|process)_[a-z0-9]+(_[a-z0-9]+)*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert not re.search(r"_(ms|milliseconds|minutes|hours|kib|mib|kilobytes|percent)(_|$)", metric.name)
    assert metric.meaning.endswith(".")
    assert all(re.fullmatch(r"[a-z_]+", label) for label in metric.labels)
    assert not {"le", "quantile", "job", "instance"} & set(metric.labels)


def test_no_name_stands_twice() -> None:
    names = [sample for metric in ALL for sample in metric.samples]

    assert sorted(names) == sorted(set(names))


def test_the_page_of_metrics_is_up_to_date() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8") == page()
