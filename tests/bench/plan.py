"""What a run measures, and how long: read from the command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Final, Self

from .engines import ENGINES
from .traffic import Mix

ALL_ENGINES: Final = tuple(engine.name for engine in ENGINES)
HELP: Final = """
One command starts an Apache Kafka of its own, writes the same input for all, runs each engine on it in turn and several
times, prints what it finds, and writes docs/performance.md, .json and .svg. A run that was narrowed by any option only
prints, unless --write is given. Figures are good only on a machine that does nothing else.
"""


@dataclass(frozen=True)
class Plan:
    """One run of the bench.

    Args:
        only: the measurements, by name.
        engines: those that may take part, by name.
        mixes: of the throughput.
        records: of each backlog.
        repeats: of each engine on each backlog.
        windows: sizes of the state, in sessions.
        restored: sessions that a restore brings back.
        rates: of the latency, records a second.
        rate_percents: of the latency, of the highest rate.
        feed_s: how long each rate is fed, after half of it to warm up.
        writes: whether the pages are written.
    """

    only: tuple[str, ...]
    engines: tuple[str, ...]
    mixes: tuple[Mix, ...]
    records: int
    repeats: int
    windows: tuple[int, ...]
    restored: int
    rates: tuple[int, ...]
    rate_percents: tuple[int, ...]
    feed_s: float
    writes: bool

    @classmethod
    def parsed(cls, arguments: list[str], measurements: tuple[str, ...]) -> Self:
        """From the command line; prints help and ends where asked to."""
        parser = _parser(measurements)
        chosen = parser.parse_args(arguments)
        for asked, known in ((chosen.only, measurements), (chosen.engines, ALL_ENGINES)):
            unknown = sorted(set(asked or ()) - set(known))
            if unknown:
                parser.error(f"unknown: {', '.join(unknown)}; there are: {', '.join(known)}")
        size = SIZES[chosen.size]
        given = {name: value for name, value in vars(chosen).items() if value is not None and name in size}
        values = {"only": chosen.only or measurements, "engines": chosen.engines or ALL_ENGINES, **size, **given}
        return cls(**values, writes=chosen.write or not arguments)


#: What each size measures, where nothing else is said.
SIZES: Final[dict[str, dict[str, object]]] = {
    "full": {
        "mixes": (Mix(20), Mix(10), Mix(5), Mix(100), Mix(20, hot_share=0.5)),
        "records": 3_000_000,
        "repeats": 3,
        "windows": (10_000, 1_000_000, 10_000_000),
        "restored": 1_000_000,
        "rates": (1_000, 10_000, 40_000),
        "rate_percents": (10, 50, 80),
        "feed_s": 20.0,
    },
    "quick": {
        "engines": ("botmeter", "streams-tuned"),
        "mixes": (Mix(20), Mix(5)),
        "records": 1_000_000,
        "repeats": 1,
        "windows": (10_000, 100_000),
        "restored": 100_000,
        "rates": (10_000,),
        "rate_percents": (),
        "feed_s": 6.0,
    },
    "tiny": {
        "engines": ("botmeter", "streams-tuned", "floor", "limit"),
        "mixes": (Mix(20),),
        "records": 4_000,
        "repeats": 1,
        "windows": (1_000,),
        "restored": 1_000,
        "rates": (500,),
        "rate_percents": (),
        "feed_s": 1.0,
    },
}


def _parser(measurements: tuple[str, ...]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='make bench ARGS="..."', usage="%(prog)s", description=HELP)
    add = parser.add_argument
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", dest="size", action="store_const", const="quick", help="ends within 4 minutes")
    sizes.add_argument("--tiny", dest="size", action="store_const", const="tiny", help="shows that the bench works")
    add("--only", type=_names, help=f"measurements, of: {', '.join(measurements)}")
    add("--engines", type=_names, help=f"of: {', '.join(ALL_ENGINES)}")
    add(
        "--mix",
        type=_mixes,
        dest="mixes",
        help="one record in so many opens a session: 20,5; 20-hot: one account has half",
    )
    add("--records", type=int, help="of each backlog; the steady state is the second half")
    add("--repeats", type=int, help="of each engine on each backlog")
    add("--windows", type=_numbers, help="sizes of the state, in sessions: 10000,1000000")
    add("--restored", type=int, help="sessions that a restore brings back")
    add("--rates", type=_numbers, help="of the latency, records a second: 1000,10000")
    add("--rate-percents", type=_numbers, help="of the latency, of the highest rate: 10,50,80")
    add("--feed-s", type=float, help="how long each rate is fed, seconds")
    add("--write", action="store_true", help="put the figures into docs/performance.md though the run was narrowed")
    parser.set_defaults(size="full")
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(",") if each)


def _mixes(text: str) -> tuple[Mix, ...]:
    return tuple(
        Mix(int(each.removesuffix("-hot")), hot_share=0.5 if each.endswith("-hot") else 0.0) for each in _names(text)
    )
