"""The commands of docs/api.md, run as written against a server of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from worker.cluster import Cluster
from worker.process import WorkerProcess

from .application import PATIENCE_S, SECRET

pytestmark = pytest.mark.kafka

GUIDE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
WRITTEN_ADDRESS = "http://localhost:8080"


@pytest.mark.skipif(shutil.which("curl") is None, reason="the guide's commands need curl, which is not installed")
def test_the_commands_of_the_guide_do_what_it_says(cluster: Cluster) -> None:
    cluster.worker().restored(cluster.partitions)
    variables = cluster.environment("web", BOTMETER_AUTH_SECRET=SECRET, BOTMETER_HTTP_PORT="0")
    script = "set -euo pipefail\n" + "\n".join(re.findall(r"^```sh\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))
    assert WRITTEN_ADDRESS in script
    with WorkerProcess(variables, "web") as web:
        address = web.hears("listening at").split()[-1]
        web.hears("entitlement is ready")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", script.replace(WRITTEN_ADDRESS, address)],
            env={**os.environ, **variables, "PATH": path},
            capture_output=True, text=True, timeout=3 * PATIENCE_S, check=False,
        )  # fmt: skip

    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr
    answers = done.stdout.splitlines()
    assert sum('"type":"accepted"' in line for line in answers) == 2
    assert any('"answer":"bot","reason":"sessions_available"' in line for line in answers)
    assert any('"outcome":"started"' in line for line in answers)
    assert '"issued_by":"ops@example.com"' in done.stdout
    assert answers[-1] == "304"
