"""The guard of an embedded broker: a small program that owns the broker's process and its directory.

It reads orders, one JSON object per line, from its standard input: `{"start": [command...]}`, `{"signal": number}`. It
reports events on its standard output: `{"started": pid}`, `{"exited": code}`. When its input ends it kills the broker
and deletes the directory; with `--keep` it stops the broker gracefully and keeps the directory. The kernel ends the
input when the parent process dies, also by kill -9: so no broker, and no data except kept ones, outlives the process
that started it.

Standard library only: it runs with `python -I -S`, and starts in a few milliseconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

#: A graceful stop takes less than a second; a broker that hangs is killed after this.
GRACEFUL_STOP_S = 20.0


def main(directory: Path, leave: Callable[[subprocess.Popen[bytes] | None, Path], None]) -> None:
    """Executes orders until the input ends, then calls `leave`."""
    signal.signal(signal.SIGTERM, _end_input)
    broker: subprocess.Popen[bytes] | None = None
    try:
        for line in sys.stdin:
            order = json.loads(line)
            if "start" in order:
                broker = _start(order["start"], directory)
            elif broker is not None:
                broker.send_signal(order["signal"])
    finally:
        leave(broker, directory)


def leave_nothing(broker: subprocess.Popen[bytes] | None, directory: Path) -> None:
    """Kills the broker and deletes its data."""
    if broker is not None:
        broker.kill()
        broker.wait()
    shutil.rmtree(directory)


def leave_data(broker: subprocess.Popen[bytes] | None, directory: Path) -> None:
    """Stops the broker, gracefully if possible, and keeps its data."""
    del directory
    if broker is not None:
        broker.send_signal(signal.SIGCONT)
        broker.terminate()
        try:
            broker.wait(GRACEFUL_STOP_S)
        except subprocess.TimeoutExpired:
            broker.kill()
            broker.wait()


def _start(command: list[str], directory: Path) -> subprocess.Popen[bytes]:
    with (directory / "server.log").open("ab") as log:
        broker = subprocess.Popen(  # noqa: S603 - the command comes from our own parent, by a pipe
            command,
            cwd=directory,
            env={**os.environ, "LC_ALL": "C.UTF-8"},  # in a C locale Java finds no directory with an accent
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    _send({"started": broker.pid})
    threading.Thread(target=lambda: _send({"exited": broker.wait()})).start()
    return broker


def _end_input(*_: object) -> None:
    """On SIGTERM: ends the input after the current order, as if the parent had died."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())


def _send(event: dict[str, int]) -> None:
    with contextlib.suppress(BrokenPipeError):  # the parent has died
        os.write(sys.stdout.fileno(), json.dumps(event).encode() + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), leave_data if "--keep" in sys.argv[2:] else leave_nothing)
