"""Prometheus' own judge of rules: real pages, carried on in time, and which alerts fire then."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.samples import Sample

from .scraped import samples

RULES: Final = Path(__file__).parents[2] / "deploy" / "prometheus-rules.yaml"
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool, which Debian's package prometheus brings"
)
#: For so long goes on what two scrapes showed; longer than any rule waits.
_MINUTES: Final = 90


@dataclass(frozen=True, slots=True)
class Scraped:
    """What a process told at two moments, before a fault and in it, and when the second was, seconds since 1970."""

    instance: str
    before: str
    after: str
    after_at: float


def shown(directory: Path, *scrapes: Scraped, alerts: set[str]) -> None:
    """Fails unless exactly these alerts fire in the end, by Prometheus' word."""
    expected = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(alerts)]
    question = {
        "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": f"{_MINUTES}m",
        "exp_samples": expected,
    }
    test = {
        "interval": "1m",
        "input_series": [each for scraped in scrapes for each in _series(scraped)],
        "promql_expr_test": [question],
    }
    file = directory / "test.yaml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _series(scraped: Scraped) -> list[dict[str, Any]]:
    """The samples of both pages a minute apart; what changed between them goes on changing.

    Ages and moments that went on between them go on with the clock, counters by as much a minute. The clock of promtool
    begins at 0, which is a minute before the second page.
    """
    before = {_key(sample): sample for sample in samples(scraped.before)}
    return [
        {
            "series": _written(sample, scraped.instance),
            "values": _values(before.get(_key(sample)), sample, scraped.after_at - 60),
        }
        for sample in samples(scraped.after)
    ]


def _values(before: Sample | None, after: Sample, zero_at: float) -> str:
    is_moment = after.name.endswith("_timestamp_seconds")
    is_counted = after.name.endswith(("_total", "_bucket", "_count", "_sum"))
    begin, value = (before.value if before else 0.0), after.value
    step = value - begin if before or is_counted else 0.0
    if is_moment:
        step = 60 if step > 0 else 0
        value = value - zero_at
        begin = value - step
    elif after.name.endswith("_seconds") and not is_counted:
        step = 60 if step > 0 else 0
    elif not is_counted:
        step = 0  # a plain gauge stays as it is
    first = "_" if before is None and not is_counted else f"{begin:.6f}"
    return f"{first} {value:.6f}{step:+.6f}x{_MINUTES}"


def _key(sample: Sample) -> tuple[str, frozenset[tuple[str, str]]]:
    return sample.name, frozenset(sample.labels.items())


def _written(sample: Sample, instance: str) -> str:
    labels: Mapping[str, str] = {**sample.labels, "instance": instance, "job": "botmeter"}
    return f"{sample.name}{{{','.join(f'{name}={json.dumps(text)}' for name, text in sorted(labels.items()))}}}"
