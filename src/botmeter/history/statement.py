"""Statements: each billing cycle of an account in sessions and money, from its journal. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from botmeter.domain import events as ev
from botmeter.domain.cycles import BillingCycle
from botmeter.domain.events import Event
from botmeter.domain.prices import Money
from botmeter.history.digest import SUMS, statement_digest


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """Packs that were paid for; `version` names the event in the journal."""

    at: int
    version: int
    packs: int
    charge: Money
    trigger: Literal["command", "auto_recharge", "renewal"]


@dataclass(slots=True)
class Statement:
    """One cycle.

    opening + renewed + granted + purchased + credited = sessions + forfeited + expired + remaining. A closed account
    keeps what remains; an ended cycle leaves it to the next. `late_sessions` of `sessions` came after the cycle's end
    and were taken from what would have expired (`A13`). Moments are UTC ms.
    """

    account_id: str
    number: int
    starts_at: int
    ends_at: int
    billing_cycle: BillingCycle
    opening: int = 0
    renewed: int = 0
    granted: int = 0
    purchased: int = 0
    credited: int = 0
    sessions: int = 0
    late_sessions: int = 0
    previews: int = 0
    forfeited: int = 0
    expired: int = 0
    handoffs: int = 0
    charges: list[ChargeLine] = field(default_factory=list)

    @property
    def remaining(self) -> int:
        """Sessions left: of the running cycle now; of an ended cycle, those left to the next."""
        gained = self.opening + self.renewed + self.granted + self.purchased + self.credited
        return gained - self.sessions - self.forfeited - self.expired

    @property
    def digest(self) -> str:
        """The statement's digest; every equal copy has the same."""
        charges = ((line.at, line.version, line.packs, line.charge) for line in self.charges)
        sums = {name: getattr(self, name) for name in SUMS}
        return statement_digest(self.account_id, self.number, (self.starts_at, self.ends_at), sums, charges)

    @property
    def total_charge(self) -> Money | None:
        """The sum of the charges; None without any."""
        if not self.charges:
            return None
        return Money(sum(line.charge.amount_minor for line in self.charges), self.charges[0].charge.currency)


def statements(events: Iterable[Event]) -> list[Statement]:
    """The statements of an account from the whole of its journal, the oldest cycle first."""
    cycles: list[Statement] = []
    for event in events:
        _post(cycles, event)
    return cycles


def _post(cycles: list[Statement], event: Event) -> None:
    match event:
        case ev.AccountOpened():
            cycles.append(Statement(event.account_id, 1, event.starts_at, event.ends_at, event.billing_cycle))
        case ev.CycleStarted():
            _start(cycles, event)
        case ev.SessionStarted():
            _session(cycles, event)
        case ev.ComplimentaryGranted():
            cycles[-1].granted += event.sessions
        case ev.ComplimentaryForfeited():
            cycles[-1].forfeited += event.sessions
        case ev.PacksPurchased():
            cycles[-1].purchased += event.sessions
            cycles[-1].charges.append(ChargeLine(event.at, event.version, event.packs, event.charge, event.trigger))
        case ev.SessionsCredited():
            cycles[-1].credited += event.sessions
        case ev.ChatHandedOff():
            cycles[-1].handoffs += 1
        case _:
            pass


def _start(cycles: list[Statement], event: ev.CycleStarted) -> None:
    cycles[-1].expired += event.expired
    cycle = Statement(event.account_id, event.number, event.starts_at, event.ends_at, event.billing_cycle)
    if event.pool == "complimentary":  # it is kept across the boundary (A2)
        cycle.opening = event.total - event.used
    else:
        cycle.renewed = event.total
    if event.charge is not None:
        cycle.charges.append(ChargeLine(event.at, event.version, event.packs, event.charge, "renewal"))
    cycles.append(cycle)


def _session(cycles: list[Statement], event: ev.SessionStarted) -> None:
    """Counts it in its own cycle: a late session in the cycle before, where one session less expired (`A13`)."""
    cycle = cycles[-1] if event.cycle_number == cycles[-1].number else cycles[-2]
    cycle.sessions += 1
    cycle.previews += event.preview
    if cycle is not cycles[-1]:
        cycle.late_sessions += 1
        cycle.expired -= 1
