"""An engine that runs: a process of its own, its processor time and memory, and its end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

from .engines import Engine, Job

#: An engine that does nothing for so long hangs.
PATIENCE_S: Final = 1_800.0
STOP_TIMEOUT_S: Final = 60.0
LOG_TAIL: Final = 2_000
CHILDREN_EVERY_S: Final = 1.0
TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")


class EngineFailedError(Exception):
    """It ended, or did not come to where it should. Says what it wrote last."""


class Running:
    """A context manager: the process is gone when the block ends."""

    def __init__(self, engine: Engine, job: Job, instance: int = 0) -> None:
        self._engine = engine
        self._job = job
        self._instance = instance
        self.log = job.directory / f"{instance}.log"

    def __enter__(self) -> Self:
        directory = self._job.directory
        directory.mkdir(parents=True, exist_ok=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOTMETER_")}
        self.started_at = time.monotonic()
        self._log_begins_at = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                list(self._engine.command(self._job, self._instance)),
                env={**inherited, **self._engine.environment(self._job, self._instance)},
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._own = psutil.Process(self._process.pid)
        self._family = [self._own]
        self._counted_at = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> float:
        """Asks it to stop, kills it when it does not; seconds until it had ended."""
        asked_at = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return time.monotonic() - asked_at

    def cpu_s(self) -> float:
        """Processor time so far, user and system, of the process and what it started."""
        return sum(times.user + times.system for times in (each.cpu_times() for each in self._processes()))

    def rss_bytes(self) -> int:
        """Resident memory of the process and what it started."""
        return sum(each.memory_info().rss for each in self._processes())

    def _processes(self) -> list[psutil.Process]:
        """Itself and its children, which are looked for once a second: it means reading all of /proc."""
        if time.monotonic() - self._counted_at > CHILDREN_EVERY_S:
            self._family = [self._own, *self._own.children(recursive=True)]
            self._counted_at = time.monotonic()
        return self._family

    def cpu_s_by_thread(self) -> dict[str, float]:
        """Processor time so far by the name of the thread, numbers taken off."""
        ticks = Counter[str]()
        for task in Path(f"/proc/{self._process.pid}/task").iterdir():
            name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
            fields = rest.split()
            is_main = task.name == str(self._process.pid)
            ticks["main" if is_main else re.sub(r"[-#]?\d+$", "", name)] += int(fields[11]) + int(fields[12])
        return {name: spent / TICKS_A_SECOND for name, spent in ticks.items()}

    def said(self) -> str:
        """What it has written since its start."""
        with self.log.open("rb") as log:
            log.seek(self._log_begins_at)
            return log.read().decode(errors="replace")

    def await_true(self, ask: Callable[[], bool], what: str, pause_s: float = 0.02) -> None:
        """Asks again and again. Raises EngineFailedError when it ends meanwhile, or `what` does not come about."""
        deadline = time.monotonic() + PATIENCE_S
        while not ask():
            if self._process.poll() is not None:
                raise EngineFailedError(f"{self._engine.name} ended, code {self._process.returncode}: {self._tail()}")
            if time.monotonic() > deadline:
                raise EngineFailedError(f"{self._engine.name}: {what} did not come about: {self._tail()}")
            time.sleep(pause_s)

    def _tail(self) -> str:
        return self.said()[-LOG_TAIL:]
