"""The dashboard in deploy/ is the one of the code, and asks only for what there is."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from botmeter.telemetry.dashboard import ROWS, dashboard
from botmeter.telemetry.table import TABLE

from .promtool import needs_promtool

ROOT = Path(__file__).parents[2]
ASKED = [expression for row in ROWS.values() for panel in row for expression, _ in panel.lines]
KNOWN = {sample: metric for metrics in TABLE.values() for metric in metrics for sample in metric.samples}


def test_the_dashboard_in_deploy_is_up_to_date() -> None:
    assert json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text(encoding="utf-8")) == dashboard()


def test_it_asks_for_metrics_and_labels_of_the_table_alone() -> None:
    for expression in ASKED:
        names = re.findall(r"\b(?:botmeter|process)_\w+", expression)
        assert names, expression
        assert set(names) - KNOWN.keys() == set(), expression
        labels = {label for name in names for label in KNOWN[name].labels} | {"instance", "job", "le"}
        for found in re.findall(r"\bby \(([^)]+)\)", expression):
            assert set(found.split(", ")) <= labels, expression


@needs_promtool
def test_prometheus_reads_its_expressions(tmp_path: Path) -> None:
    rules = [
        {"record": f"botmeter:panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(ASKED)
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_no_panel_lies_over_another() -> None:
    places = [panel["gridPos"] for panel in dashboard()["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
