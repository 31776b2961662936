"""`stub_engine.py` in a process of its own, which tests start, watch and stop."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from .process import PATIENCE_S

PROGRAM: Final = [sys.executable, str(Path(__file__).with_name("stub_engine.py"))]


class StubProcess:
    """A running worker around an engine without Kafka; what it has said is there after its end."""

    def __init__(self, scenario: str, data_dir: Path) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOTMETER_")}
        self._process = subprocess.Popen(
            [*PROGRAM, scenario, str(data_dir)], env=inherited, stderr=subprocess.PIPE, text=True
        )
        #: Every line of its standard error.
        self.lines: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self.ended()

    def port(self) -> int:
        """Waits for its first line, which names the port of its pages."""
        assert self._process.stderr is not None
        self.lines.append(self._process.stderr.readline().rstrip("\n"))
        found = re.search(r"health and metrics at http://localhost:(\d+)/", self.lines[0])
        assert found, self.lines[0]
        return int(found[1])

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def stop(self) -> int:
        """Asks it to stop; its exit code."""
        self.send(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """Waits for its end; its exit code."""
        if self._process.returncode is None:
            _, said = self._process.communicate(timeout=PATIENCE_S)
            self.lines += said.splitlines()
        return self._process.returncode

    @property
    def said(self) -> str:
        return "\n".join(self.lines)
