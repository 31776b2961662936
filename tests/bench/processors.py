"""Who used the processors while something was measured: generator, server, worker and broker share them."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil

#: By what stands in a command line, the first that fits.
_NAMES = (
    ("hosted_process", "projection"),
    (" web", "server"),
    (" worker", "worker"),
    (" project", "projection"),
    ("bench.chatter", "traffic"),
    ("kafka.Kafka", "broker"),
)


class Processors:
    """Counts from its making on."""

    def __init__(self) -> None:
        self._begun_s = time.perf_counter()
        self._before, self._all_before = _spent(), _busy_s()

    def row(self) -> str:
        """In percent of one processor; `others` is all else on the machine."""
        passed_s = time.perf_counter() - self._begun_s
        after = _spent()
        own = {name: spent - self._before.get(name, 0.0) for name, spent in sorted(after.items())}
        others = _busy_s() - self._all_before - sum(own.values())
        told = {**own, "others": max(others, 0.0)}
        shares = ", ".join(f"{name} {100 * spent / passed_s:.0f}" for name, spent in told.items())
        return f"% of one of {psutil.cpu_count()} processors: {shares}"


def _spent() -> dict[str, float]:
    """Seconds of this process and those it started, by name."""
    found: dict[str, float] = {}
    mine = psutil.Process()
    for process in [mine, *mine.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            name = "generator" if process.pid == mine.pid else _name(" ".join(process.cmdline()))
            times = process.cpu_times()
            found[name] = found.get(name, 0.0) + times.user + times.system
    return found


def _name(command: str) -> str:
    return next((name for part, name in _NAMES if part in command), "rest")


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)
