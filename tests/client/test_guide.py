"""What docs/building-on-botmeter.md shows is run, in its order, on a real broker with a real worker."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from worker.cluster import Cluster

GUIDE = (Path(__file__).parents[2] / "docs" / "building-on-botmeter.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.kafka
def test_the_guide_does_what_it_says(cluster: Cluster) -> None:
    worker = cluster.worker(BOTMETER_COMPLIMENTARY_SESSIONS="500")
    printed = []
    for block in BLOCKS:
        names: dict[str, Any] = {"TOPICS": cluster.topics}
        there = block.replace('"localhost:9092"', f'"{cluster.bootstrap_servers}", TOPICS')
        assert there != block
        with contextlib.redirect_stdout(io.StringIO()) as said:
            exec(there, names)  # noqa: S102 - our own page
        printed.append(said.getvalue())
        cluster.await_all_taken([worker])

    assert printed[0].startswith("Accepted(command_id=")
    assert printed[1].startswith("refused, reduces_below_zero: ")
    assert printed[2] == "acme has used 400 of 500: tell admin@acme.example\n"
    assert printed[3] == "the bot answers, 50 sessions are left\n"
