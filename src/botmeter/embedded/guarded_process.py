"""A child process that a guard ends when this process dies."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Literal

from botmeter.embedded.errors import EmbeddedKafkaUnavailable

#: Starting or killing a program takes milliseconds; only a machine that hangs takes this long.
GUARD_TIMEOUT_S = 60.0

GUARD_ENDED = "the process that guards the embedded Apache Kafka has ended; was it killed?"


class GuardedProcess:
    """One process at a time, with a directory of its own; both end with this process, even by kill -9.

    Not for use by several threads.
    """

    def __init__(
        self, directory: Path, at_the_end: Literal["delete", "keep"] = "delete", lock: int | None = None
    ) -> None:
        """Hands `directory` over to a new guard, which deletes or keeps it in the end.

        `lock` is a file that the guard holds open until then, also when this process dies.
        """
        guard = [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py")), str(directory)]
        self._guard = subprocess.Popen(  # noqa: S603 - our own program
            [*guard, *(["--keep"] if at_the_end == "keep" else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=() if lock is None else (lock,),
            bufsize=0,  # a write returns only when the guard has the order, or fails
            start_new_session=True,  # Ctrl-C must not reach the guard; it sees the end of this process by its pipe
        )
        self._events: queue.SimpleQueue[dict[str, int] | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read_events, name="embedded-kafka-guard", daemon=True)
        self._reader.start()
        #: The id of the last process; None before the first.
        self.pid: int | None = None
        #: The exit code of the last process; None while it runs.
        self.exit_code: int | None = None

    def start(self, command: Sequence[str]) -> None:
        """Runs `command` in the directory, output appended to server.log; the previous one must have ended."""
        assert self.pid is None or self.has_exited(within_s=0), "the process started before still runs"
        self._order(start=list(command))
        self.exit_code = None
        self.pid = self._next_event("started", GUARD_TIMEOUT_S)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process; does nothing when it has ended."""
        self._order(signal=int(number))

    def has_exited(self, within_s: float) -> bool:
        """Waits at most `within_s` seconds for the end of the process; returns whether it has ended."""
        if self.exit_code is None:
            self.exit_code = self._next_event("exited", within_s)
        return self.exit_code is not None

    def close(self) -> None:
        """Ends the process and the guard; the directory is deleted or kept, as set at the start."""
        _pipe(self._guard.stdin).close()
        self._guard.wait(GUARD_TIMEOUT_S)
        self._reader.join()

    def _order(self, **order: Any) -> None:
        try:
            _pipe(self._guard.stdin).write(json.dumps(order).encode() + b"\n")
        except BrokenPipeError as error:
            raise EmbeddedKafkaUnavailable(GUARD_ENDED) from error

    def _next_event(self, name: str, within_s: float) -> int | None:
        try:
            event = self._events.get(timeout=within_s)
        except queue.Empty:
            return None
        if event is None:
            raise EmbeddedKafkaUnavailable(GUARD_ENDED)
        return event[name]

    def _read_events(self) -> None:
        with _pipe(self._guard.stdout) as events:
            for line in events:
                self._events.put(json.loads(line))
        self._events.put(None)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None, "the guard is started with pipes"
    return stream
