"""What befalls one history, drawn from its seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

from botmeter.domain.prices import DAY_MS, HOUR_MS

#: Where a worker may die, by the point that it comes by; docs/guarantees.md names them.
CRASH_POINTS: Final = {
    "after poll": "poll",
    "after decide": "decided",
    "in produce": "before produce",
    "after produce": "after produce",
    "before offsets": "before send offsets",
    "after offsets": "after send offsets",
    "before commit": "before commit",
    "after commit": "after commit",
    "before abort": "before abort",
    "before the store's write": "before store",
    "after the store's write": "after store",
    "in restore, offsets": "before committed offsets",
    "asking the cluster": "before question",
    "in restore, store": "open store",
    "in restore, reading": "read",
    "in restore, writing": "restore writes",
    "in rebalance, assigned": "on_assign",
    "in rebalance, revoked": "on_revoke",
    "in rebalance, lost": "on_lost",
    "opening the producer": "after init",
}


@dataclass
class Plan:
    """All shares are of 1."""

    workers: int
    accounts: int
    records: int
    #: At which passing of which point somebody dies.
    deaths: dict[str, set[int]] = field(default_factory=dict)
    #: How often a thread that could go on lets another.
    switch_share: float = 0.3
    fault_share: float = 0.0
    #: Of the requests that end a transaction: how many come again after the next has begun.
    late_end_share: float = 0.0
    slow_share: float = 0.0
    slow_fetch_share: float = 0.0
    #: How often in the faulty part something befalls somebody, and what.
    unrest: int = 0
    disturbances: tuple[str, ...] = ("kill", "freeze", "freeze", "stop")
    skews_ms: tuple[int, ...] = ()
    #: The clock of the whole cluster jumps so far, in the midst of it.
    jump_ms: int = 0
    #: Inputs are written in transactions, some of which are aborted.
    has_transactional_inputs: bool = False
    #: How many records come with their producer's time: each fails its partition until an operator skips it.
    poisoned: int = 0
    #: How long the faulty part takes.
    unrest_ms: int = 10_000

    def dies_at(self, point: str, passing: int) -> bool:
        """Whether somebody dies at this passing of the point."""
        return passing in self.deaths.get(point, ())


def drawn(dice: Random) -> Plan:
    """The plan of a history."""
    deaths: dict[str, set[int]] = {}
    points = sorted(CRASH_POINTS.values())
    for _ in range(dice.choices([0, 1, 2, 3, 5], [2, 4, 3, 2, 1])[0]):
        deaths.setdefault(dice.choice(points), set()).add(dice.choice([1, 1, 2, 3, dice.randint(1, 30)]))
    workers = dice.choices([1, 2, 3, 4], [2, 4, 2, 1])[0]
    return Plan(
        workers=workers,
        accounts=dice.choice([1, 2, 3, 5]),
        records=dice.choice([10, 20, 40, 80]),
        deaths=deaths,
        switch_share=dice.choice([0.05, 0.3, 0.9]),
        fault_share=dice.choice([0.0, 0.0, 0.01, 0.05]),
        late_end_share=dice.choice([0.0, 0.0, 0.0, 0.3]),
        slow_share=dice.choice([0.0, 0.0, 0.02, 0.2]),
        slow_fetch_share=dice.choice([0.0, 0.0, 0.05, 0.2]),
        unrest=dice.choice([0, 0, 1, 2, 4]),
        skews_ms=tuple(dice.choice([0, 0, -900, 900]) for _ in range(4)),
        jump_ms=dice.choice([0, 0, 0, 0, HOUR_MS, 3 * DAY_MS, 35 * DAY_MS]),
        has_transactional_inputs=dice.random() < 0.2,
        poisoned=dice.choice([0, 0, 0, 0, 1, 2]),
    )
