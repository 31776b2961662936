"""Two and three workers, killed in rotation under load on three brokers.

BOTMETER_TEST_KILLS says how many times in each test, BOTMETER_TEST_SEED which worker, when, and with which disk.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from random import Random
from typing import Final

import pytest

from worker.load import await_progress
from worker.process import WorkerProcess

from .installation import Installation

pytestmark = [pytest.mark.kafka, pytest.mark.chaos]

KILLS: Final = int(os.environ.get("BOTMETER_TEST_KILLS", "20"))
SEED: Final = int(os.environ.get("BOTMETER_TEST_SEED", str(time.time_ns() % 10**6)))
NAMES: Final = ("ada", "bob", "cyd")
#: An end to hanging: a new worker takes some seconds, and a dead one is missed within some more.
WITHIN_S: Final = 600 + KILLS * 60
#: Members of KIP-848: how soon one is missed, the brokers say.
MEMBERS: Final = {
    "classic": {},
    "classic, static": {"BOTMETER_KAFKA__GROUP_INSTANCE_ID": "{name}"},
    "KIP-848": {"BOTMETER_KAFKA__GROUP_PROTOCOL": "consumer"},
    "KIP-848, static": {
        "BOTMETER_KAFKA__GROUP_PROTOCOL": "consumer",
        "BOTMETER_KAFKA__GROUP_INSTANCE_ID": "{name}",
    },
}


def kill_in_rotation(
    cluster: Installation, names: tuple[str, ...], members: dict[str, str], figures: Counter[str]
) -> list[WorkerProcess]:
    """Kills one after the other at any moment; each time another takes its place. The last ones, which live."""
    dice = Random(SEED)
    print(f"seed {SEED}")  # noqa: T201 - pytest shows it when the test fails

    def start(name: str) -> WorkerProcess:
        told = {variable: value.format(name=name) for variable, value in members.items()}
        return cluster.fragile_worker(name, **told)

    running = {name: start(name) for name in names}
    for _ in range(KILLS):
        name = dice.choice(names)
        if dice.random() < 0.6:
            await_progress(cluster, [*running.values()])
        time.sleep(dice.uniform(0, 1.0))  # anywhere in what it does then, its start included
        running[name].kill()
        figures["kills survived"] += 1
        if dice.random() < 0.3:
            shutil.rmtree(cluster.data_dir(name), ignore_errors=True)
        running[name] = start(name)
    return [*running.values()]


@pytest.mark.timeout(WITHIN_S)
@pytest.mark.parametrize("members", MEMBERS)
@pytest.mark.parametrize("names", [NAMES[:2], NAMES], ids=["two", "three"])
def test_workers_killed_in_rotation_lose_and_double_nothing(
    names: tuple[str, ...], members: str, cluster: Installation, figures: Counter[str]
) -> None:
    with cluster.load(SEED):
        running = kill_in_rotation(cluster, names, MEMBERS[members], figures)
        await_progress(cluster, running)
    cluster.end_well(*running)
