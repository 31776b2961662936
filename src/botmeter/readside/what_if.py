"""Cycles that were, replayed under other terms through the domain's own decisions. Pure.

What is replayed is what left a trace: sessions that were served and chats that went to agents, in the order of the
journal, and the commands that moved the pool or its terms. Where a session would only be counted, it is counted in
bulk; wherever anything follows from it, the domain decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Final

from botmeter.domain import events as ev
from botmeter.domain.account import Account, evolve, with_sessions
from botmeter.domain.billing import decide_command
from botmeter.domain.commands import Command, CreditSessions, PurchasePacks, SetAutoRecharge, SetThresholds
from botmeter.domain.events import Event, InteractionCause
from botmeter.domain.metering import Memory, counts_only_below, decide_interaction
from botmeter.domain.prices import PriceBook, Rules
from botmeter.domain.sessions import Interaction, Starts, is_covered, with_start
from botmeter.readside.results import CycleSpan, Money, Scenario, WhatIf, WhatIfCycle

#: Nothing that was taken once is refused for coming late.
_NEVER_LATE_MS: Final = 2**60
_CAUSE: Final = InteractionCause("what if", 0, 0, "what if")
#: A cycle that has run this part at least is taken to go on as it went.
_ELAPSED_MIN: Final = 0.1


@dataclass(frozen=True, slots=True)
class Asked:
    """An interaction that opened a session, or went to agents instead; `at` is broker time, UTC ms.

    When one that was refused occurred is not known, but that none of the sessions there were covered it. So it is
    covered by none but those that others of its kind open in the replay.
    """

    at: int
    interaction: Interaction
    was_refused: bool = False


@dataclass(frozen=True, slots=True)
class Commanded:
    """A command that was accepted; `at` is broker time, UTC ms."""

    at: int
    command: Command


@dataclass(frozen=True, slots=True)
class WasSo:
    """How a cycle was."""

    served: int
    to_agents: int
    ran_out_at: int | None
    charge_minor: int


@dataclass(frozen=True, slots=True)
class PastCycle:
    """A cycle to replay: the account as it was at its beginning, all that happened, in order, and what came of it."""

    span: CycleSpan
    account: Account
    inputs: Sequence[Asked | Commanded]
    was: WasSo


def what_if(scenario: Scenario, cycles: Sequence[PastCycle], prices: PriceBook, now: int) -> WhatIf:
    """The cycles, oldest first, under a scenario; at `prices`. `now` (UTC ms) is how far the last one has run."""
    rules = Rules(prices=prices, late_limit_ms=_NEVER_LATE_MS)
    found = tuple(_replayed(cycle, scenario, rules, now) for cycle in cycles)
    demands = [cycle.whole_demand for cycle in found]
    peak = max(demands, default=0)
    return WhatIf(
        scenario=scenario,
        cycles=found,
        to_agents=sum(each.to_agents for each in found),
        charge=Money(sum(each.charge.amount_minor for each in found), prices.currency),
        was_charge=Money(sum(each.was_charge.amount_minor for each in found), prices.currency),
        recommended_packs=-(-peak // prices.pack_sessions),
        peak_demand=peak,
        median_demand=round(median(demands)) if demands else 0,
        pack_sessions=prices.pack_sessions,
        is_lower_bound=any(cycle.was.ran_out_at is not None for cycle in cycles),
    )


def _whole_demand(demand: int, span: CycleSpan, now: int) -> int:
    """A cycle's demand; of one that still runs, what it comes to at its pace."""
    elapsed = (now - span.starts_at) / (span.ends_at - span.starts_at)
    return round(demand / elapsed) if _ELAPSED_MIN <= elapsed < 1 else demand


def _replayed(cycle: PastCycle, scenario: Scenario, rules: Rules, now: int) -> WhatIfCycle:
    replay = _Replay(_beginning(cycle, scenario, rules.prices), rules, cycle.span)
    for given in cycle.inputs:
        if isinstance(given, Asked):
            replay.ask(given)
        elif _still_holds(given.command, scenario):
            replay.command(given)
    replay.settle()
    currency, was = rules.prices.currency, cycle.was
    return WhatIfCycle(
        cycle=cycle.span,
        demand=replay.demand,
        whole_demand=_whole_demand(replay.demand, cycle.span, now),
        served=replay.served,
        to_agents=replay.to_agents,
        ran_out_at=replay.ran_out_at,
        packs_bought=replay.account.allowance.packs,
        charge=Money(replay.account.allowance.packs * rules.prices.pack_price_minor, currency),
        thresholds_reached=tuple(replay.reached),
        was_served=was.served,
        was_to_agents=was.to_agents,
        was_ran_out_at=was.ran_out_at,
        was_charge=Money(was.charge_minor, currency),
    )


def _beginning(cycle: PastCycle, scenario: Scenario, prices: PriceBook) -> Account:
    """The account at the cycle's beginning, with the scenario's packs and terms."""
    account = cycle.account
    terms, allowance, status = account.terms, account.allowance, account.status
    if scenario.thresholds is not None:
        terms = replace(terms, thresholds=scenario.thresholds)
    if scenario.auto_recharge is not None:
        recharge = scenario.auto_recharge
        terms = replace(terms, recharge_below=recharge.below, recharge_packs=recharge.packs)
    if scenario.packs is not None:
        packs = scenario.packs
        total = packs * prices.pack_sessions
        pool: ev.Pool = "purchased" if packs else "none"
        allowance = replace(allowance, pool=pool, total=total, used=0, packs=packs, packs_next_cycle=packs, reached=())
        status = "active" if packs else "exhausted"
    return replace(account, terms=terms, allowance=allowance, status=status)


def _still_holds(command: Command, scenario: Scenario) -> bool:
    """Whether a command would have been given under the scenario: not where it says how that was."""
    match command:
        case PurchasePacks():
            return scenario.packs is None
        case SetThresholds():
            return scenario.thresholds is None
        case SetAutoRecharge():
            return scenario.auto_recharge is None
        case CreditSessions():
            return True
        case _:  # a plan grants or forfeits complimentary sessions, which packs take the place of
            return scenario.packs is None


class _Windows:
    """Known session starts of each end-user, live or preview; those opened by who was refused also apart."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, bool], Starts] = {}
        self._of_refused: dict[tuple[str, bool], Starts] = {}

    def starts(self, asked: Asked) -> Starts:
        """Those that can cover it."""
        key = (asked.interaction.end_user_id, asked.interaction.preview)
        return (self._of_refused if asked.was_refused else self._all).get(key, ())

    def add(self, asked: Asked, at: int, rules: Rules) -> None:
        """One more, opened by it."""
        key = (asked.interaction.end_user_id, asked.interaction.preview)
        for known in (self._all, self._of_refused) if asked.was_refused else (self._all,):
            known[key] = with_start(known.get(key, ()), asked.interaction.occurred_at, at, rules)


@dataclass
class _Replay:
    """One cycle on its way."""

    account: Account
    rules: Rules
    span: CycleSpan
    demand: int = 0
    served: int = 0
    to_agents: int = 0
    reached: list[tuple[int, int]] = field(default_factory=list)
    ran_out_at: int | None = None
    _bulk: int = 0
    _left_in_bulk: int = 0
    _windows: _Windows = field(default_factory=_Windows)
    _wanted: _Windows = field(default_factory=_Windows)
    _handed_off: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # The cycle is replayed alone: nothing is left of the one before it, and none follows.
        self.account = replace(self.account, past_cycle=None)
        if self.account.status == "exhausted":
            self.ran_out_at = self.span.starts_at
        self._look_ahead()

    def ask(self, asked: Asked) -> None:
        """An end-user asks the bot."""
        at, interaction = min(asked.at, self.span.ends_at - 1), asked.interaction
        if not is_covered(self._wanted.starts(asked), interaction.occurred_at):
            self._wanted.add(asked, at, self.rules)
            self.demand += 1
        starts = self._windows.starts(asked)
        if is_covered(starts, interaction.occurred_at):
            return
        if self._left_in_bulk:
            self._left_in_bulk -= 1
            self._bulk += 1
            self._start(asked, at)
            return
        self.settle()
        memory = Memory(starts, self._handed_off.get(interaction.conversation_id))
        events, outcome = decide_interaction(self.account, interaction, memory, at, _CAUSE, self.rules)
        self._take(events)
        if outcome == "started":
            self._start(asked, at)
        elif outcome == "handed_off":
            self.to_agents += 1
            self._handed_off[interaction.conversation_id] = at

    def command(self, commanded: Commanded) -> None:
        """A command that was given then."""
        self.settle()
        at = min(max(commanded.at, self.span.starts_at), self.span.ends_at - 1)
        account_id = self.account.account_id
        events, _ = decide_command(account_id, self.account, commanded.command, at, _CAUSE, self.rules)
        self._take([event for event in events if not isinstance(event, ev.CommandHandled)])

    def settle(self) -> None:
        """Puts what was counted in bulk into the account."""
        if self._bulk:
            account = self.account
            self.account = with_sessions(account, account.allowance.used + self._bulk, account.version + self._bulk)
            self._bulk = 0

    def _start(self, asked: Asked, at: int) -> None:
        self.served += 1
        self._windows.add(asked, at, self.rules)

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            self.account = evolve(self.account, event)
            if isinstance(event, ev.ThresholdReached):
                self.reached.append((event.percent, event.at))
            elif isinstance(event, ev.SessionsExhausted) and self.ran_out_at is None:
                self.ran_out_at = event.at
        self._look_ahead()

    def _look_ahead(self) -> None:
        """How many starts from here on will do nothing but count: none that brings the usage to a turn."""
        self._left_in_bulk = max(counts_only_below(self.account) - self.account.allowance.used - 1, 0)
