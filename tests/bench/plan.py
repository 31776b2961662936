"""What a run measures, and how long: read from the command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Self

from .engines import ENGINES
from .traffic import Mix

MEASUREMENTS = ("throughput",)
ALL_ENGINES = tuple(engine.name for engine in ENGINES)


@dataclass(frozen=True)
class Plan:
    """One run of the bench."""

    only: tuple[str, ...]
    engines: tuple[str, ...]
    mixes: tuple[Mix, ...]
    records: int
    repeats: int

    @classmethod
    def parsed(cls, arguments: list[str]) -> Self:
        """From the command line; prints help and ends where asked to."""
        parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
        parser.add_argument("--only", type=_names, default=MEASUREMENTS, help=f"of: {', '.join(MEASUREMENTS)}")
        parser.add_argument("--engines", type=_names, default=ALL_ENGINES, help=f"of: {', '.join(ALL_ENGINES)}")
        parser.add_argument("--mix", type=_numbers, default=(20, 10, 5), help="one record in so many opens a session")
        parser.add_argument("--records", type=int, default=3_000_000, help="of each backlog")
        parser.add_argument("--repeats", type=int, default=3, help="of each engine on each backlog")
        chosen = parser.parse_args(arguments)
        for asked, known in ((chosen.only, MEASUREMENTS), (chosen.engines, ALL_ENGINES)):
            unknown = sorted(set(asked) - set(known))
            if unknown:
                parser.error(f"unknown: {', '.join(unknown)}; there are: {', '.join(known)}")
        mixes = tuple(Mix(number) for number in chosen.mix)
        return cls(chosen.only, chosen.engines, mixes, chosen.records, chosen.repeats)


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(","))
