"""The programs of the demo: `botmeter worker` and others, started as a user would, each in a process of its own."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from botmeter.embedded.guarded_process import GuardedProcess
from botmeter.errors import BotmeterError
from botmeter.settings.model import PREFIX

#: All of them stop within 10 s; a busy machine gets twice that.
_STOP_TIMEOUT_S: Final = 20.0
#: How long the start may take: many times what it needs on a busy machine.
_START_TIMEOUT_S: Final = 60.0
#: How often the log is read while waiting for a line.
_POLL_S: Final = 0.1
_LOG_TAIL_LINES: Final = 30
_NAMES: Final = {"notify": "notifier", "web": "web server"}


class ProgramEnded(BotmeterError):  # noqa: N818 - named by what happened
    """A worker, notifier or web server ended or hangs unexpectedly.

    Recovery: end the demo. Operator action: read the end of its log, which the message contains.
    """


class Program:
    """A subcommand with a temporary data directory. Both end with the block, or when this process dies."""

    def __init__(self, settings: Mapping[str, str], command: str, *options: str) -> None:
        """`settings` are BOTMETER_* variables; those of this process are not passed on. `command` is the subcommand."""
        self._settings, self._command, self._options = settings, command, options

    def __enter__(self) -> Self:
        """Starts the program, without waiting until it is ready."""
        directory = Path(tempfile.mkdtemp(prefix=f"botmeter-{self._command}-"))
        self._log = directory / "server.log"
        self._process = GuardedProcess(directory)
        unset = [f"-u{name}" for name in os.environ if name.startswith(PREFIX)]
        given = {**self._settings, f"{PREFIX}DATA_DIR": str(directory / "data")}
        variables = [f"{name}={value}" for name, value in given.items()]
        program = [sys.executable, "-c", "from botmeter.cli import main; main()", self._command, *self._options]
        try:
            self._process.start(["/usr/bin/env", *unset, *variables, *program])
        except BaseException:
            self._process.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kills the program if it still runs, and deletes its data."""
        self._process.close()

    def await_line(self, beginning: str) -> str:
        """Waits for the first line of output that starts with `beginning`; returns the rest of the line.

        Raises ProgramEnded when the program ends before, or prints no such line within a minute.
        """
        deadline = time.monotonic() + _START_TIMEOUT_S
        while (found := self._find_line(beginning)) is None:
            if self._process.has_exited(within_s=_POLL_S):
                raise self._ended(f"the {self._name} ended, code {self._process.exit_code}")
            if time.monotonic() > deadline:
                raise self._ended(f"the {self._name} is not ready after {_START_TIMEOUT_S:.0f} s")
        return found

    def require_running(self) -> None:
        """Raises ProgramEnded with the end of its log when the program has ended."""
        if self._process.has_exited(within_s=0):
            raise self._ended(f"the {self._name} ended, code {self._process.exit_code}")

    def stop(self) -> None:
        """Stops it by SIGTERM. Raises ProgramEnded when it does not stop, or ends with an error."""
        self._process.signal(signal.SIGTERM)
        if not self._process.has_exited(_STOP_TIMEOUT_S):
            raise self._ended(f"the {self._name} did not stop within {_STOP_TIMEOUT_S:.0f} s")
        if self._process.exit_code != 0:
            raise self._ended(f"the {self._name} stopped with code {self._process.exit_code}")

    @property
    def _name(self) -> str:
        return _NAMES.get(self._command, self._command)

    def _find_line(self, beginning: str) -> str | None:
        if not self._log.exists():
            return None
        *lines, _ = self._log.read_text("utf-8", "replace").split("\n")  # the last line may be incomplete
        return next((line.removeprefix(beginning) for line in lines if line.startswith(beginning)), None)

    def _ended(self, how: str) -> ProgramEnded:
        lines = self._log.read_text("utf-8", "replace").splitlines()[-_LOG_TAIL_LINES:]
        return ProgramEnded("\n  ".join([f"{how}; its log ends:", *lines]))
