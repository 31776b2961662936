"""How fast a backlog is worked off, and what an interaction costs in processor time.

The group's committed offset is watched, 50 times a second. Start-up is what comes before the first commit; the steady
state is the second half of the records: compilers, caches and collectors have settled by then.
"""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import psutil

from .engines import Engine, Job
from .running import Running
from .stage import Backlog, Stage

#: How many records from a cold start are reported apart.
COLD_RECORDS: Final = 1_000_000
LOOK_EVERY_S: Final = 0.02


@dataclass(frozen=True)
class Sample:
    """One look at an engine: when (monotonic seconds), records committed, processor seconds, bytes resident."""

    at_s: float
    committed: int
    cpu_s: float
    rss_bytes: int
    broker_cpu_s: float


@dataclass(frozen=True)
class Course:
    """How a run went, from its first commit to its last."""

    started_at_s: float
    samples: tuple[Sample, ...]
    #: Processor time by thread in the second half, seconds.
    threads: dict[str, float]
    records: int

    def first_at(self, committed: int) -> Sample:
        """The first look that found so many records committed."""
        return next(sample for sample in self.samples if sample.committed >= committed)

    def between(self, begin: int, end: int) -> Stretch:
        """The part of the run from `begin` records to `end`."""
        return Stretch(self.first_at(begin), self.first_at(end))

    @property
    def steady(self) -> Stretch:
        """The second half."""
        return self.between(max(1, self.records // 2), self.records)

    @property
    def cold(self) -> Stretch:
        """From the first commit on, a million records or a third of the run."""
        return self.between(1, min(COLD_RECORDS, max(1, self.records // 3)))

    @property
    def first_commit_s(self) -> float:
        """From the start of the process to its first commit."""
        return self.samples[0].at_s - self.started_at_s

    @property
    def peak_rss_bytes(self) -> int:
        """The most memory any look found."""
        return max(sample.rss_bytes for sample in self.samples)


@dataclass(frozen=True)
class Stretch:
    """What lies between two looks."""

    begin: Sample
    end: Sample

    @property
    def records(self) -> int:
        """Committed meanwhile; at least 1, so that a run of a few batches has figures too."""
        return max(1, self.end.committed - self.begin.committed)

    @property
    def a_second(self) -> float:
        """Records a second."""
        return self.records / max(LOOK_EVERY_S, self.end.at_s - self.begin.at_s)

    @property
    def cpu_us(self) -> float:
        """Processor time a record, microseconds."""
        return (self.end.cpu_s - self.begin.cpu_s) / self.records * 1e6

    @property
    def broker_cpu_us(self) -> float:
        """The broker's processor time a record, microseconds."""
        return (self.end.broker_cpu_s - self.begin.broker_cpu_s) / self.records * 1e6


def new_job(stage: Stage, engine: Engine, backlog: Backlog) -> Job:
    """A fresh installation: no state, no offsets, empty outputs."""
    name = stage.fresh_name(engine.name)
    job = Job(stage.bootstrap_servers, backlog, f"{name}.", stage.directory / name)
    engine.create_outputs(stage, job)
    return job


def run(stage: Stage, engine: Engine, job: Job, instances: int = 1) -> Course:
    """Runs the engine until its group has committed the whole backlog."""
    backlog = job.backlog
    looks = Looks(stage)
    with stage.observer(job.group) as observer, ExitStack() as closing:
        running = [closing.enter_context(Running(engine, job, number)) for number in range(instances)]
        threads: dict[str, float] = {}

        def is_done() -> bool:
            committed = stage.committed(observer, backlog.interactions, backlog.partitions)
            if committed:
                looks.look(running, committed)
            if committed >= backlog.records // 2 and not threads:
                threads.update(_threads(running))
            return committed >= backlog.records

        running[0].await_true(is_done, f"all {backlog.records:,} records committed", LOOK_EVERY_S)
        spent = {name: seconds - threads.get(name, 0.0) for name, seconds in _threads(running).items()}
    return Course(running[0].started_at, tuple(looks.samples), spent, backlog.records)


class Looks:
    """What was seen of an engine, look by look."""

    def __init__(self, stage: Stage) -> None:
        self._broker = psutil.Process(stage.broker.pid)
        self.samples: list[Sample] = []

    def look(self, running: list[Running], committed: int) -> None:
        """Notes where it is."""
        broker = self._broker.cpu_times()
        self.samples.append(
            Sample(
                time.monotonic(),
                committed,
                sum(each.cpu_s() for each in running),
                sum(each.rss_bytes() for each in running),
                broker.user + broker.system,
            )
        )


def _threads(running: list[Running]) -> dict[str, float]:
    spent: defaultdict[str, float] = defaultdict(float)
    for each in running:
        for name, seconds in each.cpu_s_by_thread().items():
            spent[name] += seconds
    return dict(spent)
