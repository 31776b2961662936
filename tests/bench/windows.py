"""What the size of the state costs: as many sessions as asked for are opened, one after another.

The last quarter of the records is held against the first: the mix is the same, only the state has grown. Memory, and
what a session takes on disk and in the journal (or changelog, as the broker keeps it, compressed), are read at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from .bench import Bench, say
from .course import Course, new_job, run
from .engines import Engine
from .results import Case, Column, Figures
from .throughput import discard, require_same_sessions
from .traffic import Mix

COLUMNS: Final = (
    Column("first", "records/s, first quarter"),
    Column("last", "records/s, last quarter"),
    Column("ratio", "last against first", "{:.0%}"),
    Column("cpu_first", "CPU us, first quarter", "{:.2f}"),
    Column("cpu_last", "CPU us, last quarter", "{:.2f}"),
    Column("rss_mb", "RSS MB at the end"),
    Column("disk_bytes", "bytes a session on disk"),
    Column("log_bytes", "bytes a session in its log"),
)
#: The fewer records open a session, the longer it takes to come to so many.
_FEWEST_RECORDS: Final = 3_000_000
_MIX: Final = 5
_DENSEST_MIX: Final = 2
_MOST_RECORDS: Final = 20_000_000


def measure(bench: Bench) -> Iterator[Case]:
    """One case a size."""
    for windows in bench.plan.windows:
        rows: dict[str, Figures] = {}
        mix = _mix(windows, bench.plan.records)
        for engine in bench.take_part("botmeter", "streams-tuned"):
            rows[engine.label] = one(bench, engine, mix, windows * mix.per_session)
        yield Case(f"{windows:,} sessions, {mix.title}", rows)


def one(bench: Bench, engine: Engine, mix: Mix, records: int) -> Figures:
    """One run, and what it left."""
    stage = bench.stage
    backlog = stage.backlog(mix, records, 1)
    job = new_job(stage, engine, backlog)
    course = run(stage, engine, job)
    require_same_sessions(stage, engine, job)
    quarter = records // 4
    first, last = course.between(1, quarter), course.between(records - quarter, records)
    sessions = mix.sessions(records)
    figures = {
        "first": [first.a_second],
        "last": [last.a_second],
        "ratio": [last.a_second / first.a_second],
        "cpu_first": [first.cpu_us],
        "cpu_last": [last.cpu_us],
        "rss_mb": [course.samples[-1].rss_bytes / 1e6],
        "disk_bytes": [_bytes_in(job.state(0)) / sessions],
        "log_bytes": [stage.log_bytes(engine.logs(job)) / sessions],
    }
    say(f"  {engine.label}: {_line(course)}")
    discard(stage, job)
    return figures


def _mix(windows: int, fewest_records: int) -> Mix:
    """How many records a session, so that all of them are neither too few to measure nor too many to write."""
    fewest = min(_FEWEST_RECORDS, fewest_records)
    if windows * _MIX < fewest:
        return Mix(fewest // windows)
    return Mix(_MIX if windows * _MIX <= _MOST_RECORDS else _DENSEST_MIX)


def _bytes_in(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _line(course: Course) -> str:
    steps = [course.records * step // 4 for step in range(5)]
    rates = [course.between(max(1, begin), end).a_second for begin, end in pairwise(steps)]
    return f"by quarter: {', '.join(f'{rate:,.0f}/s' for rate in rates)}; {course.samples[-1].rss_bytes / 1e6:,.0f} MB"
