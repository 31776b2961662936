"""The guard of an embedded broker: a small program that owns the broker's process and its directory.

It takes orders, one JSON object a line, from its standard input: `{"start": [command...]}`, `{"signal":
number}`; and tells on its standard output what became of them: `{"started": pid}`, `{"exited": code}`. When
its input ends it kills the broker and deletes the directory; with `--keep` it asks the broker to end in good
order first, and leaves the directory. The kernel ends the input when the process at the other end dies,
whatever it died of, kill -9 included: no broker, and no data but what is to be kept, outlive the process that
wanted them.

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

#: An orderly end takes less than a second; a broker that has come to a halt is killed.
ORDERLY_END_S = 20.0


def main(directory: Path, leave: Callable[[subprocess.Popen[bytes] | None, Path], None]) -> None:
    """Obey until the input ends, then `leave`."""
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
    """Kill the broker, since nobody wants its data, and delete them."""
    if broker is not None:
        broker.kill()
        broker.wait()
    shutil.rmtree(directory)


def leave_data(broker: subprocess.Popen[bytes] | None, directory: Path) -> None:
    """End the broker in good order if that can be, and leave what it wrote."""
    del directory
    if broker is not None:
        broker.send_signal(signal.SIGCONT)
        broker.terminate()
        try:
            broker.wait(ORDERLY_END_S)
        except subprocess.TimeoutExpired:
            broker.kill()
            broker.wait()


def _start(command: list[str], directory: Path) -> subprocess.Popen[bytes]:
    with (directory / "server.log").open("ab") as log:
        broker = subprocess.Popen(  # noqa: S603 - the command comes from our own parent, by a pipe
            command,
            cwd=directory,
            env={**os.environ, "LC_ALL": "C.UTF-8"},  # Java finds no directory with an accent in a C locale
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    _tell({"started": broker.pid})
    threading.Thread(target=lambda: _tell({"exited": broker.wait()})).start()
    return broker


def _end_input(*_: object) -> None:
    """Asked to end ourselves: go on as if the parent had gone, after the order in hand."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())


def _tell(event: dict[str, int]) -> None:
    with contextlib.suppress(BrokenPipeError):  # the parent is gone: nobody is left to tell
        os.write(sys.stdout.fileno(), json.dumps(event).encode() + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), leave_data if "--keep" in sys.argv[2:] else leave_nothing)
