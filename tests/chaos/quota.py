"""A producer quota, as an operator sets one."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from botmeter.embedded.distribution import default_cache
from botmeter.embedded.node import java_command


def limit_workers(bootstrap_servers: str, bytes_a_second: int) -> None:
    """From now on the brokers mute the connection of a worker that writes more, for as long as that takes to mend."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "tmp").mkdir()
        subprocess.run(
            [
                *java_command(128, default_cache(), print),
                *("kafka.admin.ConfigCommand", "--bootstrap-server", bootstrap_servers, "--alter"),
                *("--entity-type", "clients", "--entity-name", "botmeter-worker"),
                *("--add-config", f"producer_byte_rate={bytes_a_second}"),
            ],
            cwd=directory,
            check=True,
        )
