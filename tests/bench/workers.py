"""Two workers on two partitions against one that has both: what sharing the work costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .bench import Bench, say
from .course import new_job, run
from .results import Case, Column, Figures
from .throughput import discard, line, require_same_sessions
from .traffic import Mix

COLUMNS: Final = (
    Column("a_second", "records/s"),
    Column("cpu_us", "CPU us a record", "{:.2f}"),
    Column("against", "CPU against one", "{:.2f}x"),
    Column("broker_cpu_us", "broker's CPU us", "{:.2f}"),
)
_MIX: Final = Mix(20)
_PARTITIONS: Final = 2


def measure(bench: Bench) -> Iterator[Case]:
    """One case: one process and two."""
    backlog = bench.stage.backlog(_MIX, bench.plan.records, _PARTITIONS)
    rows: dict[str, Figures] = {}
    for engine in bench.take_part("botmeter"):
        for _ in range(bench.plan.repeats):
            for processes in (1, 2):
                job = new_job(bench.stage, engine, backlog)
                course = run(bench.stage, engine, job, processes)
                require_same_sessions(bench.stage, engine, job)
                discard(bench.stage, job)
                label = f"{engine.label}, {processes} {'process' if processes == 1 else 'processes'}"
                say(f"  {label}: {line(course)}")
                figures = rows.setdefault(label, {})
                figures.setdefault("a_second", []).append(course.steady.a_second)
                figures.setdefault("cpu_us", []).append(course.steady.cpu_us)
                figures.setdefault("broker_cpu_us", []).append(course.steady.broker_cpu_us)
        one, two = (rows[f"{engine.label}, {word}"] for word in ("1 process", "2 processes"))
        two["against"] = [mine / theirs for mine, theirs in zip(two["cpu_us"], one["cpu_us"], strict=True) if theirs]
    yield Case(f"2 partitions, {_MIX.title}", rows)
