"""Whole workers on a cluster in memory: whatever befalls them, the outputs are those of the inputs, once.

A failure names its seed; `python -m histories SEED` replays it. See docs/testing.md.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random

import pytest

from .history import Figures, History
from .plan import CRASH_POINTS, Plan

#: The short form, in every run of the tests.
SHORT = 250
#: Histories in which somebody has to skip records.
POISONED = 40
#: The long form, and how many histories a process takes at a time.
LONG = int(os.environ.get("BOTMETER_TEST_HISTORIES", "20000"))
FIRST_OF_LONG = int(os.environ.get("BOTMETER_TEST_SEED", "1000000"))
PORTION = 100
TESTS = Path(__file__).parents[1]


def histories(seeds: Iterable[int]) -> Figures:
    """Each of these, to its end. Raises Failed at the first that is wrong."""
    figures = Figures()
    for seed in seeds:
        figures.add(History(seed).run())
    return figures


def test_nothing_is_lost_doubled_or_altered_in_any_history() -> None:
    figures = histories(range(SHORT))

    assert figures.histories == SHORT
    assert figures.crashes.total() > 80
    assert figures.records > 5_000


@pytest.mark.parametrize("name", CRASH_POINTS)
def test_a_worker_may_die_at_every_named_point(name: str) -> None:
    """At the first, the second and the third time that somebody comes by it."""
    figures, point = Figures(), CRASH_POINTS[name]
    for seed in range(40):
        plan = Plan(
            workers=2,
            accounts=2,
            records=20,
            deaths={point: {1, 2, 3}},
            fault_share=0.05 if "abort" in point else 0.0,
            unrest_ms=60_000 if "abort" in point else 10_000,
            unrest=4 if "lost" in point or "revoke" in point or "abort" in point else 0,
        )
        figures.add(History(seed, plan).run())
        if figures.crashes[point] >= 6:
            break

    assert figures.crashes[point] >= 3


def test_the_end_of_a_transaction_that_comes_late_ends_no_other() -> None:
    """F9: a request that the network kept ends what is open when it arrives, unless its producer is fenced by then."""
    figures = Figures()
    plan = Plan(3, 2, 80, late_end_share=0.3, unrest=6, switch_share=0.9)
    for seed in range(40):
        figures.add(History(seed, plan).run())

    assert figures.faults["commit late"] > 25
    assert figures.faults["commit repeated"] > 25
    assert figures.faults["abort late"] + figures.faults["abort repeated"] > 0


def test_a_record_that_fails_its_partition_is_skipped_whatever_befalls_worker_and_operator() -> None:
    """Commits that fail meanwhile leave records before it to be taken first."""
    figures = Figures()
    plan = Plan(2, 3, 60, fault_share=0.02, late_end_share=0.3, unrest=4, switch_share=0.9, poisoned=4)
    for seed in range(POISONED):
        plan.deaths = {"before question": {seed * 7}, "after produce": {seed}}
        figures.add(History(seed, plan).run())

    assert figures.faults["record with its producer's time"] == 4 * POISONED
    assert figures.faults["record skipped"] > 3 * POISONED


def test_a_worker_that_its_group_forgets_again_and_again_goes_on() -> None:
    """As one that is starved of its processor: it is too slow, and has no namesake."""
    figures = Figures()
    for seed in range(4):
        plan = Plan(2, 3, 400, unrest=100, disturbances=("forget",), unrest_ms=60_000, switch_share=0.9)
        figures.add(History(seed, plan).run())

    assert figures.faults["forget"] > 300
    assert figures.ended_with.total() == 0


def test_a_seed_replays_its_history() -> None:
    """In any process, whatever Python draws for its hashes."""
    told = [
        subprocess.run(
            [sys.executable, "-m", "histories", "7"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(TESTS)},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]

    assert len(told[0].splitlines()) > 100
    assert hashlib.sha256(told[0]).hexdigest() == hashlib.sha256(told[1]).hexdigest()


@pytest.mark.chaos
@pytest.mark.timeout(3_600)
def test_tens_of_thousands_of_histories(figures: Counter[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As many as BOTMETER_TEST_HISTORIES says, from the seed BOTMETER_TEST_SEED on."""
    portions = [range(start, min(start + PORTION, FIRST_OF_LONG + LONG)) for start in _starts()]
    found = Figures()
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        for done in processes.map(histories, portions):
            found.add(done)
    with capsys.disabled():
        print(f"\n{told(found)}")  # noqa: T201 - the figures are what it is run for
    figures["simulated histories"] += found.histories
    figures["simulated kills survived"] += found.crashes.total() + found.faults["kill"]
    figures["records checked"] += found.records
    figures["outputs as they should be"] += found.confirmed
    figures["stores as good as cold ones"] += found.stores
    figures["differences"] += 0  # the first one would have ended it

    assert found.histories == LONG


def _starts() -> list[int]:
    starts = list(range(FIRST_OF_LONG, FIRST_OF_LONG + LONG, PORTION))
    Random(FIRST_OF_LONG).shuffle(starts)
    return starts


def told(figures: Figures) -> str:
    """For a person."""
    points = {point: name for name, point in CRASH_POINTS.items()}
    crashes = [f"  {count:>7} {points.get(point, point)}" for point, count in figures.crashes.most_common()]
    faults = [f"  {count:>7} {fault}" for fault, count in figures.faults.most_common()]
    return "\n".join(
        [
            f"{figures.histories} histories, {figures.lives} lives of workers",
            f"{figures.records} records taken, {figures.confirmed} outputs as they should be, 0 differences",
            f"{figures.stores} stores, of the dead and of the end, each worth a cold restore",
            f"{figures.crashes.total()} crashes at named points:",
            *crashes,
            f"{figures.faults.total()} other faults:",
            *faults,
        ]
    )
