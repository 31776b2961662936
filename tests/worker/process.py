"""A `botmeter worker` in a process of its own, which tests start, watch, stop, freeze and kill."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

PROGRAM: Final = [sys.executable, "-c", "import botmeter.cli; botmeter.cli.main()"]
#: What a worker may take to say something; far more than it does, because the machine is shared.
PATIENCE_S: Final = 120.0


class WorkerProcess:
    """A running worker and what it has said so far. Its end is awaited with `stop`, `kill` or `ended`."""

    def __init__(
        self, environment: Mapping[str, str], command: str = "worker", program: Sequence[str] = tuple(PROGRAM)
    ) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOTMETER_")}
        self._process = subprocess.Popen(
            [*program, *command.split()],
            env={**inherited, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._said = threading.Condition()
        self._is_silent = False
        #: Every line of its standard error.
        self.lines: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stderr:
            for line in stderr:
                with self._said:
                    self.lines.append(line.rstrip("\n"))
                    self._said.notify_all()
        with self._said:
            self._is_silent = True
            self._said.notify_all()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def hears(self, pattern: str, times: int = 1, within_s: float = PATIENCE_S) -> str:
        """Waits for the n-th line that matches and returns it; fails when the worker ends without it."""
        found: list[str] = []

        def is_settled() -> bool:
            found[:] = [line for line in self.lines if re.search(pattern, line)]
            return len(found) >= times or self._is_silent

        with self._said:
            self._said.wait_for(is_settled, within_s)
        assert len(found) >= times, f"the worker did not say {pattern!r} {times} times but:\n{self.said}"
        return found[times - 1]

    def restored(self, partitions: int) -> WorkerProcess:
        """Waits until so many partitions were restored since its start."""
        self.hears(r"partition \d+: (cold|warm) restore of", times=partitions)
        return self

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, within_s: float = PATIENCE_S) -> int:
        """Asks it to stop; its exit code."""
        self.send(number)
        return self.ended(within_s)

    def leaves(self) -> None:
        """Asks it to stop, which it does in good order."""
        code = self.stop()
        assert code == 0, f"the worker ended with {code}; it said:\n{self.said}"

    def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()
        self.ended()

    def ended(self, within_s: float = PATIENCE_S) -> int:
        """Waits for its end; its exit code, negative when a signal killed it."""
        try:
            code = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker did not end within {within_s:g} s; it said:\n{self.said}") from None
        self._listener.join()
        return code

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None


def until(deadline_s: float) -> float:
    """The moment, by the monotonic clock, at which patience ends."""
    return time.monotonic() + deadline_s
