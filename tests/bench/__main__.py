"""The command line of `make bench`."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from . import latency, restore, stages, throughput, windows, workers
from .bench import Bench, say
from .engines import ENGINES, Engine
from .machine import ROOT, conditions
from .pages import RESULTS, write_pages
from .plan import Plan
from .results import Case, Column, Results, table
from .stage import Stage


@dataclass(frozen=True)
class Measurement:
    """Something that is measured: the columns of its tables, and what makes them, one by one."""

    columns: Sequence[Column]
    measure: Callable[[Bench], Iterator[Case]]


MEASUREMENTS: Final = {
    "throughput": Measurement(throughput.COLUMNS, throughput.measure),
    "restore": Measurement(restore.COLUMNS, restore.measure),
    "latency": Measurement(latency.COLUMNS, latency.measure),
    "windows": Measurement(windows.COLUMNS, windows.measure),
    "stages": Measurement(stages.COLUMNS, stages.measure),
    "workers": Measurement(workers.COLUMNS, workers.measure),
}


def main(arguments: list[str], docs: Path) -> None:
    """Measures what was asked for and prints it; writes the pages in `docs` after each table, unless narrowed."""
    plan = Plan.parsed(arguments, tuple(MEASUREMENTS))
    results = Results.read(docs / RESULTS)
    with tempfile.TemporaryDirectory(prefix="botmeter-bench-") as directory, Stage(Path(directory)) as stage:
        bench = Bench(stage, ready(plan), plan)
        for name in plan.only:
            say(f"\n{name}")
            for case in MEASUREMENTS[name].measure(bench):
                full = replace(case, conditions=conditions(case.rows, bench.engines, plan))
                say("\n".join(["", table(full, MEASUREMENTS[name].columns), *full.notes]))
                results.add(name, full)
                if plan.writes:
                    write_pages(docs, results, {key: one.columns for key, one in MEASUREMENTS.items()})
        say("\n" + "\n".join(f"{name}: {value}" for name, value in conditions((), bench.engines, plan).items()))
    say(f"written into {docs}" if plan.writes else "printed only; with --write it goes into docs/performance.md")


def ready(plan: Plan) -> list[Engine]:
    """The engines that take part; says which does not, and why."""
    asked = [engine for engine in ENGINES if engine.name in plan.engines]
    missing = {engine: engine.missing() for engine in asked}
    for engine, what in missing.items():
        say(f"{engine.label} is left out: {what}" if what else f"{engine.label}: {engine.version()}")
    return [engine for engine, what in missing.items() if not what]


if __name__ == "__main__":
    # Whoever ends the bench ends the engines with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    main(sys.argv[1:], ROOT / "docs")
