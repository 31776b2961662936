"""How long a restore takes: from the start of the process until it commits a record that has waited for it.

That is what an account notices: interpreter or JVM, group, restore, first transaction. How long the same engine takes
without any state is the first column; botmeter's own word on its restore is the last.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from typing import Final

from .bench import Bench, say
from .course import new_job, run
from .engines import Engine, Job
from .results import Case, Column, Figures
from .running import Running
from .stage import Stage
from .throughput import discard
from .traffic import Accounts, Mix, interactions

COLUMNS: Final = (
    Column("empty_s", "s without state", "{:.1f}"),
    Column("warm_s", "s warm", "{:.1f}"),
    Column("cold_s", "s cold", "{:.1f}"),
    Column("warm_own_s", "s warm, as it logs", "{:.1f}"),
    Column("cold_own_s", "s cold, as it logs", "{:.1f}"),
    Column("stop_s", "s to stop", "{:.1f}"),
    Column("rss_mb", "RSS MB after the cold one"),
)
#: The densest mix: the state is there soon.
_MIX: Final = Mix(2)
_OWN_WORD: Final = re.compile(r"partition \d+: (cold|warm) restore .* in ([\d.]+) s")
#: Records that wait: whole conversations of bots only count as ignored, so they change no state.
_WAITING: Final = 2


def measure(bench: Bench) -> Iterator[Case]:
    """One case: every engine with a state."""
    sessions = bench.plan.restored
    rows: dict[str, Figures] = {}
    for engine in bench.take_part("botmeter", "streams-tuned", "streams-tx"):
        rows[engine.label] = one(bench, engine, sessions)
    yield Case(f"{sessions:,} sessions", rows)


def one(bench: Bench, engine: Engine, sessions: int) -> Figures:
    """Fills a state, then starts the engine on it again and again: as it was left, and with its directory deleted."""
    stage = bench.stage
    backlog = stage.write_backlog(_MIX, sessions * _MIX.per_session, 1)
    job = new_job(stage, engine, backlog)
    filled = run(stage, engine, job)
    figures: Figures = {"empty_s": [filled.first_commit_s]}
    for _ in range(bench.plan.repeats):
        _add(figures, "warm", restarted(stage, engine, job))
        shutil.rmtree(job.state(0))
        cold = restarted(stage, engine, job)
        _add(figures, "cold", cold)
        figures.setdefault("rss_mb", []).append(cold["rss_mb"])
        say(f"  {engine.label}: {', '.join(f'{key} {values[-1]:.1f}' for key, values in figures.items())}")
    discard(stage, job)
    stage.delete(backlog.interactions.rpartition(".")[0])
    return figures


def restarted(stage: Stage, engine: Engine, job: Job) -> dict[str, float]:
    """Appends records, starts the engine, waits until it has committed them, stops it."""
    backlog = job.backlog
    with stage.observer(job.group) as observer:
        before = stage.committed(observer, backlog.interactions, backlog.partitions)
        stage.write(backlog.interactions, interactions(_MIX, _WAITING, Accounts(backlog.partitions)))
        with Running(engine, job) as running:
            running.await_true(
                lambda: stage.committed(observer, backlog.interactions, backlog.partitions) > before, "a commit"
            )
            found = {"s": time.monotonic() - running.started_at, "rss_mb": running.rss_bytes() / 1e6}
            own = _OWN_WORD.search(running.said())
            found["stop_s"] = running.stop()
    return found | ({"own_s": float(own[2])} if own else {})


def _add(figures: Figures, kind: str, found: dict[str, float]) -> None:
    figures.setdefault(f"{kind}_s", []).append(found["s"])
    figures.setdefault("stop_s", []).append(found["stop_s"])
    if "own_s" in found:
        figures.setdefault(f"{kind}_own_s", []).append(found["own_s"])
