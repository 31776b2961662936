"""What every measurement is given: the stage, the engines that take part, the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .engines import Engine
from .plan import Plan
from .stage import Stage


@dataclass(frozen=True)
class Bench:
    """One run of `make bench`."""

    stage: Stage
    engines: Sequence[Engine]
    plan: Plan

    def take_part(self, *names: str) -> list[Engine]:
        """Those of the engines named that take part in this run, in this order."""
        return [engine for name in names for engine in self.engines if engine.name == name]


def say(line: str) -> None:
    """Tells at once who waits."""
    print(line, flush=True)
