"""How soon an answer can be read: from the broker's timestamp of the chat to a reader of committed records.

The chats belong to an account without sessions, so each is handed off to agents; they are some of a mixed traffic that
is fed at an even rate. Kafka Streams, which knows no handoffs here, is judged by its session starts of the same chats.
Feeder and reader are processes of their own, on the same cores. The broker's timestamps are whole milliseconds, so half
a millisecond is added on average.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Final

from .bench import Bench, say
from .course import new_job
from .engines import Engine
from .feeder import EXHAUSTED
from .results import Case, Column, Figures
from .running import EngineFailedError, Running
from .stage import Stage
from .throughput import discard, once
from .traffic import Mix

COLUMNS: Final = (
    Column("rate", "records/s asked"),
    Column("sent", "sent"),
    Column("p50_ms", "p50 ms"),
    Column("p99_ms", "p99 ms"),
    Column("max_ms", "highest ms"),
    Column("chats", "chats"),
    Column("cpu", "of one core", "{:.0%}"),
)
_MIX: Final = Mix(20)
#: Taken before the feeding begins, so that nothing starts up any more.
_FIRST_RECORDS: Final = 2_000
#: Of the time that is measured, so long is fed before it.
_WARM_UP_SHARE: Final = 1 / 2
#: Where our programs are found.
_TESTS: Final = Path(__file__).parents[1]
_HIGHEST_RECORDS: Final = 2_000_000


def measure(bench: Bench) -> Iterator[Case]:
    """One case a rate."""
    engines = bench.take_part("botmeter", "streams-tuned")
    for rate in bench.plan.rates:
        yield at_rates(bench, f"{rate:,} records/s", dict.fromkeys(engines, rate))
    if bench.plan.rate_percents:
        highest = {engine: highest_rate(bench, engine) for engine in engines}
        for percent in bench.plan.rate_percents:
            rates = {engine: int(rate * percent / 100) for engine, rate in highest.items()}
            yield at_rates(bench, f"{percent} % of its own highest rate", rates)


def at_rates(bench: Bench, title: str, rates: dict[Engine, int]) -> Case:
    """Each engine at its rate."""
    rows: dict[str, Figures] = {}
    for _ in range(bench.plan.repeats):
        for engine, rate in rates.items():
            found = fed(bench.stage, engine, rate, bench.plan.feed_s)
            for key, value in found.items():
                rows.setdefault(engine.label, {}).setdefault(key, []).append(value)
            say(f"  {engine.label}: {', '.join(f'{key} {value:,.2f}' for key, value in found.items())}")
    return Case(title, rows)


def highest_rate(bench: Bench, engine: Engine) -> float:
    """Of a backlog, in the steady state."""
    backlog = bench.stage.backlog(_MIX, min(bench.plan.records, _HIGHEST_RECORDS), 1)
    return once(bench.stage, engine, backlog).steady.a_second


def fed(stage: Stage, engine: Engine, rate: int, feed_s: float) -> dict[str, float]:
    """One engine, fed with so many records a second for so long, after half of that to warm up."""
    backlog = stage.write_backlog(_MIX, _FIRST_RECORDS, 1)
    stage.write(backlog.commands, [(EXHAUSTED, json.dumps(_opened()).encode(), 0)])
    job = new_job(stage, engine, backlog)
    with stage.observer(job.group) as observer, Running(engine, job) as running:

        def await_committed(records: int) -> None:
            running.await_true(
                lambda: stage.committed(observer, backlog.interactions, 1) >= records, f"{records:,} records committed"
            )

        await_committed(_FIRST_RECORDS)
        with _program("reader", stage.bootstrap_servers, engine.answers(job)) as reader:
            _told(reader)
            asked = [stage.bootstrap_servers, backlog.interactions, str(rate), str(feed_s * (1 + _WARM_UP_SHARE))]
            with _program("feeder", *asked) as feeder:
                _told(feeder)
                warm_at = time.time() + feed_s * _WARM_UP_SHARE
                running.await_true(lambda: time.time() >= warm_at, "the end of the warming up")
                cpu_before, looked_at = running.cpu_s(), time.time()
                sent, took_s = json.loads(_told(feeder))
            cpu_s, fed_s = running.cpu_s() - cpu_before, time.time() - looked_at
            await_committed(_FIRST_RECORDS + int(sent))
            answers = json.loads(_told_to_end(reader))
    discard(stage, job)
    stage.delete(backlog.interactions.rpartition(".")[0])
    waits_ms = [read_ms - at_ms for at_ms, read_ms in answers if at_ms >= warm_at * 1000]
    return {"rate": rate, "sent": sent / took_s, **_percentiles(waits_ms), "cpu": cpu_s / fed_s}


def _percentiles(waits_ms: list[float]) -> dict[str, float]:
    cuts = quantiles(waits_ms, n=100, method="inclusive")
    return {"p50_ms": cuts[49], "p99_ms": cuts[98], "max_ms": max(waits_ms), "chats": len(waits_ms)}


def _opened() -> dict[str, str]:
    return {
        "type": "open_account",
        "command_id": "open",
        "account_id": EXHAUSTED.decode(),
        "issued_by": "bench",
        "plan": "free",
        "billing_cycle": "monthly",
    }


@contextmanager
def _program(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of ours, whose input is a pipe; it is gone when the block ends."""
    command = [sys.executable, "-m", f"{__package__}.{name}", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=_TESTS, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _told(process: subprocess.Popen[str]) -> str:
    """The next line it says."""
    assert process.stdout is not None
    line: str = process.stdout.readline()
    if not line:
        raise EngineFailedError(f"{process.args!r} ended and said nothing")
    return line.strip()


def _told_to_end(process: subprocess.Popen[str]) -> str:
    """What it says once its input has ended."""
    assert process.stdin is not None
    process.stdin.close()
    return _told(process)
