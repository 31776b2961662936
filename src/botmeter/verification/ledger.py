"""Sessions allowed and sessions charged by pool, counted independently of the account's own counter (`T6`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from botmeter.domain import events as ev
from botmeter.domain.account import Account
from botmeter.domain.events import Event
from botmeter.domain.prices import Money
from botmeter.verification.findings import Findings


@dataclass(slots=True)
class _Pool:
    allowed: int = 0
    charged: int = 0


@dataclass(slots=True)
class _Pools:
    """An account's pools: the complimentary one, and those of the current cycle and the one before."""

    number: int = 1
    complimentary: _Pool = field(default_factory=_Pool)
    cycles: dict[int, _Pool] = field(default_factory=dict)

    def of_cycle(self, number: int) -> _Pool:
        return self.cycles.setdefault(number, _Pool())


class Ledger:
    """Counts every session against the pool it was charged to."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._accounts: dict[str, _Pools] = {}

    def start_from(self, account: Account) -> None:
        """Starts from the pools of an account at the start of verification."""
        pools = self._accounts[account.account_id] = _Pools(account.cycle.number)
        allowance, past = account.allowance, account.past_cycle
        now = _Pool(allowance.total, allowance.used)
        if allowance.pool == "complimentary":
            pools.complimentary = now
        else:
            pools.cycles[account.cycle.number] = now
        if past is not None and past.pool == "purchased":
            pools.cycles[past.number] = _Pool(past.total, past.used)

    def take(self, event: Event) -> bool:
        """Takes the next event of the journal; False when it charges a session beyond its pool."""
        pools = self._accounts.get(event.account_id)
        if pools is None:
            pools = self._accounts[event.account_id] = _Pools()
        if isinstance(event, ev.SessionStarted):
            pool = pools.complimentary if event.pool == "complimentary" else pools.of_cycle(event.cycle_number)
            pool.charged += 1
            return pool.charged <= pool.allowed
        self._allow(pools, event)
        return True

    def _allow(self, pools: _Pools, event: Event) -> None:
        match event:
            case ev.ComplimentaryGranted():
                pools.complimentary.allowed += event.sessions
            case ev.PacksPurchased():
                pools.of_cycle(pools.number).allowed += event.sessions
                self._charge(event.charge)
            case ev.SessionsCredited():
                pool = pools.complimentary if event.pool == "complimentary" else pools.of_cycle(pools.number)
                pool.allowed += event.sessions
            case ev.CycleStarted():
                pools.number = event.number
                pools.cycles = {number: pool for number, pool in pools.cycles.items() if number >= event.number - 1}
                if event.pool == "purchased":
                    pools.of_cycle(event.number).allowed += event.total
                if event.charge is not None:
                    self._charge(event.charge)
            case _:
                pass

    def _charge(self, charge: Money) -> None:
        self._findings.charged[charge.currency] += charge.amount_minor
