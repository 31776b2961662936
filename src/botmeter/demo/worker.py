"""What the demo runs: `botmeter worker` and others as anybody would start them, each in a process of its own."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from botmeter.embedded.guarded_process import GuardedProcess
from botmeter.errors import BotmeterError
from botmeter.settings.model import PREFIX

#: A worker stops within 10 s; a busy machine gets as long again.
_STOP_TIMEOUT_S: Final = 20.0
_LOG_TAIL_LINES: Final = 30


class WorkerEnded(BotmeterError):  # noqa: N818 - named by what happened
    """The worker is gone, and nobody told it to.

    Recovery: end the demo. Operator action: read the end of its log, which is in the message.
    """


class WorkerProcess:
    """A worker with a temporary data directory. It and its data are gone when the block ends, or this process dies."""

    def __init__(self, settings: Mapping[str, str], command: str = "worker") -> None:
        """`settings` are BOTMETER_* variables; those of this process are not passed on. `command` as in `botmeter`."""
        self._settings, self._command = settings, command

    def __enter__(self) -> Self:
        """Start it; it need not be ready yet."""
        directory = Path(tempfile.mkdtemp(prefix=f"botmeter-{self._command}-"))
        self._log = directory / "server.log"
        self._process = GuardedProcess(directory)
        unset = [f"-u{name}" for name in os.environ if name.startswith(PREFIX)]
        given = {**self._settings, f"{PREFIX}DATA_DIR": str(directory / "data")}
        variables = [f"{name}={value}" for name, value in given.items()]
        program = [sys.executable, "-c", "from botmeter.cli import main; main()", self._command]
        try:
            self._process.start(["/usr/bin/env", *unset, *variables, *program])
        except BaseException:
            self._process.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill it if it still runs, and delete its data."""
        self._process.close()

    def require_running(self) -> None:
        """Raises WorkerEnded with the end of its log when it is gone."""
        if self._process.has_exited(within_s=0):
            raise self._ended(f"the {self._name} ended, code {self._process.exit_code}")

    def stop(self) -> None:
        """Lets it finish as on SIGTERM. Raises WorkerEnded when it does not, or not in good order."""
        self._process.signal(signal.SIGTERM)
        if not self._process.has_exited(_STOP_TIMEOUT_S):
            raise self._ended(f"the {self._name} did not stop within {_STOP_TIMEOUT_S:.0f} s")
        if self._process.exit_code != 0:
            raise self._ended(f"the {self._name} stopped with code {self._process.exit_code}")

    @property
    def _name(self) -> str:
        return "notifier" if self._command == "notify" else self._command

    def _ended(self, how: str) -> WorkerEnded:
        lines = self._log.read_text("utf-8", "replace").splitlines()[-_LOG_TAIL_LINES:]
        return WorkerEnded("\n  ".join([f"{how}; its log ends:", *lines]))
