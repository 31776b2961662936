"""Replays past cycles under other terms through the domain's own decisions. Pure.

Only inputs that left a trace can be replayed: sessions that were served and chats that went to agents, in the order of
the journal, and the commands that changed the pool or its terms. Sessions that would only be counted are counted in
bulk; where anything else would follow from a session, the domain decides.
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

#: No limit: an input that was accepted then must not be refused as too late now.
_NEVER_LATE_MS: Final = 2**60
_CAUSE: Final = InteractionCause("what if", 0, 0, "what if")
#: From this elapsed part on, the demand of a running cycle is extrapolated.
_ELAPSED_MIN: Final = 0.1


@dataclass(frozen=True, slots=True)
class PastInteraction:
    """An interaction that opened a session, or went to agents instead; `at` is broker time, UTC ms.

    When a refused interaction occurred is not known, only that no session of the time covered it. So in the replay only
    sessions that other refused interactions open can cover it.
    """

    at: int
    interaction: Interaction
    was_refused: bool = False


@dataclass(frozen=True, slots=True)
class PastCommand:
    """A command that was accepted; `at` is broker time, UTC ms."""

    at: int
    command: Command


@dataclass(frozen=True, slots=True)
class PastOutcome:
    """How a cycle went."""

    served: int
    to_agents: int
    ran_out_at: int | None
    charge_minor: int


@dataclass(frozen=True, slots=True)
class PastCycle:
    """A cycle to replay: the account at its start, all inputs in order, and the outcome."""

    span: CycleSpan
    account: Account
    inputs: Sequence[PastInteraction | PastCommand]
    was: PastOutcome


def what_if(scenario: Scenario, cycles: Sequence[PastCycle], prices: PriceBook, now: int) -> WhatIf:
    """Replays cycles, oldest first, under a scenario at `prices`. The last one has run until `now` (UTC ms)."""
    rules = Rules(prices=prices, late_limit_ms=_NEVER_LATE_MS)
    replayed = tuple(_replay_cycle(cycle, scenario, rules, now) for cycle in cycles)
    demands = [cycle.whole_demand for cycle in replayed]
    peak = max(demands, default=0)
    return WhatIf(
        scenario=scenario,
        cycles=replayed,
        to_agents=sum(each.to_agents for each in replayed),
        charge=Money(sum(each.charge.amount_minor for each in replayed), prices.currency),
        was_charge=Money(sum(each.was_charge.amount_minor for each in replayed), prices.currency),
        recommended_packs=-(-peak // prices.pack_sessions),
        peak_demand=peak,
        median_demand=round(median(demands)) if demands else 0,
        pack_sessions=prices.pack_sessions,
        is_lower_bound=any(cycle.was.ran_out_at is not None for cycle in cycles),
    )


def _whole_demand(demand: int, span: CycleSpan, now: int) -> int:
    """A cycle's demand; for a running cycle, extrapolated at its pace."""
    elapsed = (now - span.starts_at) / (span.ends_at - span.starts_at)
    return round(demand / elapsed) if _ELAPSED_MIN <= elapsed < 1 else demand


def _replay_cycle(cycle: PastCycle, scenario: Scenario, rules: Rules, now: int) -> WhatIfCycle:
    replay = _Replay(_account_at_start(cycle, scenario, rules.prices), rules, cycle.span)
    for past in cycle.inputs:
        if isinstance(past, PastInteraction):
            replay.interaction(past)
        elif _is_repeated(past.command, scenario):
            replay.command(past)
    replay.add_bulk()
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


def _account_at_start(cycle: PastCycle, scenario: Scenario, prices: PriceBook) -> Account:
    """The account at the cycle's start, with the scenario's packs and terms."""
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


def _is_repeated(command: Command, scenario: Scenario) -> bool:
    """Whether the replay repeats a command: not if the scenario sets what the command set."""
    match command:
        case PurchasePacks():
            return scenario.packs is None
        case SetThresholds():
            return scenario.thresholds is None
        case SetAutoRecharge():
            return scenario.auto_recharge is None
        case CreditSessions():
            return True
        case _:  # a plan grants or forfeits complimentary sessions, which packs replace
            return scenario.packs is None


class _Windows:
    """Known session starts of each end-user, live or preview; those opened by refused interactions also apart."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, bool], Starts] = {}
        self._of_refused: dict[tuple[str, bool], Starts] = {}

    def starts(self, past: PastInteraction) -> Starts:
        """The starts of the sessions that can cover the interaction."""
        key = (past.interaction.end_user_id, past.interaction.preview)
        return (self._of_refused if past.was_refused else self._all).get(key, ())

    def add(self, past: PastInteraction, at: int, rules: Rules) -> None:
        """Adds the start of the session that the interaction opens."""
        key = (past.interaction.end_user_id, past.interaction.preview)
        for known in (self._all, self._of_refused) if past.was_refused else (self._all,):
            known[key] = with_start(known.get(key, ()), past.interaction.occurred_at, at, rules)


@dataclass
class _Replay:
    """The replay of one cycle, and its counts so far."""

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
        self._set_bulk_size()

    def interaction(self, past: PastInteraction) -> None:
        """Replays an interaction of an end-user."""
        at, interaction = min(past.at, self.span.ends_at - 1), past.interaction
        if not is_covered(self._wanted.starts(past), interaction.occurred_at):
            self._wanted.add(past, at, self.rules)
            self.demand += 1
        starts = self._windows.starts(past)
        if is_covered(starts, interaction.occurred_at):
            return
        if self._left_in_bulk:
            self._left_in_bulk -= 1
            self._bulk += 1
            self._start(past, at)
            return
        self.add_bulk()
        memory = Memory(starts, self._handed_off.get(interaction.conversation_id))
        events, outcome = decide_interaction(self.account, interaction, memory, at, _CAUSE, self.rules)
        self._apply(events)
        if outcome == "started":
            self._start(past, at)
        elif outcome == "handed_off":
            self.to_agents += 1
            self._handed_off[interaction.conversation_id] = at

    def command(self, past: PastCommand) -> None:
        """Replays a command."""
        self.add_bulk()
        at = min(max(past.at, self.span.starts_at), self.span.ends_at - 1)
        account_id = self.account.account_id
        events, _ = decide_command(account_id, self.account, past.command, at, _CAUSE, self.rules)
        self._apply([event for event in events if not isinstance(event, ev.CommandHandled)])

    def add_bulk(self) -> None:
        """Adds the sessions that were counted in bulk to the account."""
        if self._bulk:
            account = self.account
            self.account = with_sessions(account, account.allowance.used + self._bulk, account.version + self._bulk)
            self._bulk = 0

    def _start(self, past: PastInteraction, at: int) -> None:
        self.served += 1
        self._windows.add(past, at, self.rules)

    def _apply(self, events: Sequence[Event]) -> None:
        for event in events:
            self.account = evolve(self.account, event)
            if isinstance(event, ev.ThresholdReached):
                self.reached.append((event.percent, event.at))
            elif isinstance(event, ev.SessionsExhausted) and self.ran_out_at is None:
                self.ran_out_at = event.at
        self._set_bulk_size()

    def _set_bulk_size(self) -> None:
        """Sets how many of the next sessions are only counted: those before one that has further consequences."""
        self._left_in_bulk = max(counts_only_below(self.account) - self.account.allowance.used - 1, 0)
