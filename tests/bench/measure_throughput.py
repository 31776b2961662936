"""Throughput and processor time of every engine on every mix, in turn and several times."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Final

from .engines import Engine, Job
from .plan import Plan
from .stage import Backlog, Stage
from .tables import spread, table
from .throughput import Course, new_job, run

THREADS_SHOWN: Final = 5


class DifferentResultError(Exception):
    """An engine did another job than the others."""


def measure_throughput(stage: Stage, engines: Sequence[Engine], plan: Plan) -> None:
    """Prints a line after each run and a table after each mix."""
    for mix in plan.mixes:
        began = time.monotonic()
        backlog = stage.backlog(mix, plan.records, 1)
        print(f"\n{mix.name}: {plan.records:,} records written in {time.monotonic() - began:.0f} s", flush=True)
        courses: defaultdict[Engine, list[Course]] = defaultdict(list)
        for number in range(plan.repeats):
            for engine in engines:
                courses[engine].append(once(stage, engine, backlog))
                print(f"  {number + 1}. {engine.label}: {line(courses[engine][-1])}", flush=True)
        print(summary(mix.name, courses), flush=True)


def once(stage: Stage, engine: Engine, backlog: Backlog) -> Course:
    """One run on fresh state; its topics and its state are deleted afterwards."""
    job = new_job(stage, engine, backlog)
    course = run(stage, engine, job)
    require_same_sessions(stage, engine, job)
    stage.delete(job.prefix)
    shutil.rmtree(job.directory)
    return course


def require_same_sessions(stage: Stage, engine: Engine, job: Job) -> None:
    """Raises DifferentResultError unless the engine has counted as many sessions as there are: once, no more."""
    if starts := engine.starts(job):
        topic, mark = starts
        found = stage.count(topic, job.backlog.partitions, mark)
        expected = job.backlog.mix.sessions(job.backlog.records)
        if found != expected:
            raise DifferentResultError(f"{engine.label} started {found:,} sessions where there are {expected:,}")


def line(course: Course) -> str:
    """One run in one line."""
    steady, cold = course.steady, course.cold
    busiest = sorted(course.threads.items(), key=lambda item: -item[1])[:THREADS_SHOWN]
    threads = ", ".join(f"{name} {seconds / steady.records * 1e6:.2f}" for name, seconds in busiest)
    return (
        f"{steady.a_second:,.0f}/s, {steady.cpu_us:.2f} us, broker {steady.broker_cpu_us:.2f} us; "
        f"cold {cold.a_second:,.0f}/s, {cold.cpu_us:.2f} us; first commit after {course.first_commit_s:.1f} s; "
        f"{course.peak_rss_bytes / 1e6:,.0f} MB; threads: {threads}"
    )


def summary(title: str, courses: dict[Engine, list[Course]]) -> str:
    """A table of one mix."""
    first = next(iter(courses.values()))
    base_rate = median(course.steady.a_second for course in first)
    rows = [
        [
            engine.label,
            spread([course.steady.a_second for course in runs]),
            spread([course.steady.cpu_us for course in runs], "{:.2f}"),
            f"{base_rate / median(course.steady.a_second for course in runs):.2f}x",
            spread([course.cold.a_second for course in runs]),
            spread([course.peak_rss_bytes / 1e6 for course in runs]),
        ]
        for engine, runs in courses.items()
    ]
    first_label = next(iter(courses)).label
    head = [title, "records/s", "CPU us a record", f"{first_label} against it", "records/s from a cold start", "RSS MB"]
    return table(head, rows)
