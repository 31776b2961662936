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
    plant, plan = MUTANTS[name]
    plant(monkeypatch)

    with pytest.raises(Failed) as found:
        run_all(plan)

    assert isinstance(found.value.__cause__, AssertionError | BotmeterError)  # found by what it does, not by a crash


def run_all(plan: Plan | None) -> None:
    """Up to the first that is wrong."""
    for seed in range(SEEDS):
        History(seed, plan).run()
