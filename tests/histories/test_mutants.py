"""The histories find the faults that are planted in an engine; otherwise it would mean nothing that they find none."""

from __future__ import annotations

import pytest

from botmeter.errors import BotmeterError

from .history import Failed, History
from .mutants import MUTANTS
from .plan import Plan

#: Found sooner than this.
SEEDS = 200


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)

    with pytest.raises(Failed) as found:
        run_all()

    assert isinstance(found.value.__cause__, AssertionError | BotmeterError)  # found by what it does, not by a crash


def run_all() -> None:
    """Up to the first that is wrong; every other one hard on restores, which find transactions half ended."""
    for seed in range(SEEDS):
        History(seed).run()
        History(seed, Plan(2, 2, 40, {"after commit": {2, 4, 6, 8}}, slow_share=0.3, unrest=2)).run()
