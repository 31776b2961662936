"""The command line of `make bench`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from .engines import ENGINES, Engine
from .machine import conditions
from .measure_throughput import measure_throughput
from .plan import Plan
from .stage import Stage


def main(arguments: list[str]) -> None:
    """Measures what was asked for and prints it."""
    plan = Plan.parsed(arguments)
    engines = ready(plan)
    with tempfile.TemporaryDirectory(prefix="botmeter-bench-") as directory, Stage(Path(directory)) as stage:
        for name, value in conditions().items():
            print(f"{name}: {value}")
        for engine in engines:
            print(f"{engine.label}: {engine.version()}")
        measure_throughput(stage, engines, plan)


def ready(plan: Plan) -> list[Engine]:
    """The engines that take part; says which does not, and why."""
    asked = [engine for engine in ENGINES if engine.name in plan.engines]
    missing = {engine: engine.missing() for engine in asked}
    for engine, what in missing.items():
        if what:
            print(f"{engine.label} is left out: {what}")
    return [engine for engine, what in missing.items() if not what]


if __name__ == "__main__":
    main(sys.argv[1:])
