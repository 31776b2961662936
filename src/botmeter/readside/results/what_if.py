"""Past cycles under other terms."""

from __future__ import annotations

from dataclasses import dataclass

from botmeter.readside.results.accounts import AutoRecharge
from botmeter.readside.results.origin import CycleSpan, Money


@dataclass(frozen=True, slots=True)
class Scenario:
    """Other terms for past cycles; None leaves a term as it was.

    `packs` are those of every cycle from its beginning; purchases made in it are then left out, credits are not. An
    auto-recharge of 0 packs switches it off.
    """

    packs: int | None = None
    thresholds: tuple[int, ...] | None = None
    auto_recharge: AutoRecharge | None = None


@dataclass(frozen=True, slots=True)
class WhatIfCycle:
    """One cycle under a scenario, beside how it was."""

    cycle: CycleSpan
    #: Sessions that would have been served without any limit.
    demand: int
    #: The demand of the whole cycle: for a running one, extrapolated at its pace.
    whole_demand: int
    #: Sessions, and chats that would have gone to agents because none was left.
    served: int
    to_agents: int
    ran_out_at: int | None
    packs_bought: int
    charge: Money
    thresholds_reached: tuple[tuple[int, int], ...]
    was_served: int
    was_to_agents: int
    was_ran_out_at: int | None
    was_charge: Money

    @property
    def stopped(self) -> int:
        """Demand neither served nor handed to agents: without sessions, self-service and previews stop."""
        return max(self.demand - self.served - self.to_agents, 0)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The last cycles replayed under other terms, oldest first, and how many packs would have been right.

    `recommended_packs` is the smallest number with which no chat would have been refused in any of the cycles.
    """

    scenario: Scenario
    cycles: tuple[WhatIfCycle, ...]
    to_agents: int
    charge: Money
    was_charge: Money
    recommended_packs: int
    #: Its basis: highest and median demand of the cycles (the running one's at its pace), and a pack's size.
    peak_demand: int
    median_demand: int
    pack_sessions: int
    #: Whether the demand may have been higher: refused self-service interactions and previews leave no trace (`T4`).
    is_lower_bound: bool
