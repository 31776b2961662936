"""What a measurement ran on, said beside its figures."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import psutil

from botmeter.embedded.distribution import KAFKA_VERSION

from .engines import Engine
from .plan import Plan

ROOT = Path(__file__).parents[2]


def conditions(labels: Iterable[str], engines: Iterable[Engine], plan: Plan) -> dict[str, str]:
    """Date, revision, versions of the engines with these labels, size of the run, machine: as pairs of words."""
    known = set(labels)
    versions = dict.fromkeys(engine.version() for engine in engines if not known or engine.label in known)
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "revision": _revision(),
        "with": ", ".join(versions),
        "runs": f"{plan.repeats} of {plan.records:,} records",
        "machine": f"{_processor()}, {os.cpu_count()} cores shared with the broker and the harness, {_memory()}",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "broker": f"Apache Kafka {KAFKA_VERSION}, one node, on the same machine",
    }


def _revision() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def _memory() -> str:
    return f"{psutil.virtual_memory().total / 2**30:.0f} GiB"
