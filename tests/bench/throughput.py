"""Throughput and processor time of every engine on every mix, in turn and several times."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from statistics import median
from typing import Final

from .bench import Bench, say
from .course import Course, new_job, run
from .engines import Engine, Job
from .results import Case, Column, Figures
from .stage import Backlog, Stage
from .traffic import Mix

COLUMNS: Final = (
    Column("a_second", "records/s"),
    Column("botmeter_is", "botmeter is", "{:.2f}x"),
    Column("cpu_us", "CPU us a record", "{:.2f}"),
    Column("botmeter_cpu", "botmeter takes", "{:.2f}x"),
    Column("broker_cpu_us", "broker's CPU us", "{:.2f}"),
    Column("cold_a_second", "records/s, first million"),
    Column("cold_cpu_us", "CPU us, first million", "{:.2f}"),
    Column("rss_mb", "RSS MB"),
)
THREADS_SHOWN: Final = 5


class DifferentResultError(Exception):
    """An engine did another job than the others."""


def measure(bench: Bench) -> Iterator[Case]:
    """One case a mix; prints a line after each run."""
    for mix in bench.plan.mixes:
        yield one_mix(bench, mix)


def one_mix(bench: Bench, mix: Mix) -> Case:
    """Every engine on one backlog, in turn."""
    rows: dict[str, Figures] = {}
    notes = []
    for number in range(bench.plan.repeats):
        for engine in bench.engines:
            backlog = written(bench, mix, engine.most_records)
            course = once(bench.stage, engine, backlog)
            add(rows.setdefault(engine.label, {}), course)
            say(f"  {number + 1}. {engine.label}: {line(course)}")
            if number == 0 and backlog.records < bench.plan.records:
                notes.append(f"{engine.label}: {backlog.records:,} records, because it is slow.")
    compare(rows)
    return Case(mix.title, rows, tuple(notes))


def written(bench: Bench, mix: Mix, most_records: int) -> Backlog:
    """The backlog for an engine that can do so many records in bearable time."""
    began = time.monotonic()
    backlog = bench.stage.backlog(mix, min(bench.plan.records, most_records), 1)
    if time.monotonic() - began > 1:
        say(f"{mix.title}: {backlog.records:,} records written in {time.monotonic() - began:.0f} s")
    return backlog


def once(stage: Stage, engine: Engine, backlog: Backlog) -> Course:
    """One run on fresh state; its topics and its state are deleted afterwards."""
    job = new_job(stage, engine, backlog)
    course = run(stage, engine, job)
    require_same_sessions(stage, engine, job)
    discard(stage, job)
    return course


def discard(stage: Stage, job: Job) -> None:
    """Deletes the topics and the state of a run."""
    stage.delete(job.prefix)
    shutil.rmtree(job.directory)


def require_same_sessions(stage: Stage, engine: Engine, job: Job) -> None:
    """Raises DifferentResultError unless the engine has counted as many sessions as there are: once, no more."""
    if starts := engine.starts(job):
        topic, mark = starts
        found = stage.count(topic, job.backlog.partitions, mark)
        expected = job.backlog.mix.sessions(job.backlog.records)
        if found != expected:
            raise DifferentResultError(f"{engine.label} started {found:,} sessions where there are {expected:,}")


def add(figures: Figures, course: Course) -> None:
    """Adds what one run found."""
    steady, cold = course.steady, course.cold
    found = {
        "a_second": steady.a_second,
        "cpu_us": steady.cpu_us,
        "broker_cpu_us": steady.broker_cpu_us,
        "cold_a_second": cold.a_second,
        "cold_cpu_us": cold.cpu_us,
        "rss_mb": course.peak_rss_bytes / 1e6,
    }
    for key, value in found.items():
        figures.setdefault(key, []).append(value)


def compare(rows: dict[str, Figures]) -> None:
    """Adds how botmeter stands to each of the others, by the medians."""
    if "botmeter" in rows:
        own = {key: median(rows["botmeter"][key]) for key in ("a_second", "cpu_us")}
        for label, figures in rows.items():
            if label != "botmeter":
                figures["botmeter_is"] = [own["a_second"] / median(figures["a_second"])]
                figures["botmeter_cpu"] = [own["cpu_us"] / max(0.01, median(figures["cpu_us"]))]


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
