"""The simulated accounts: every plan, a few large ones and many small, in time zones around the world.

The same number always gives the same accounts, whatever the seed: a seed only changes their traffic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from botmeter.domain.commands import Plan
from botmeter.domain.cycles import BillingCycle

#: How unequal the accounts are: of 12 the largest has a quarter of the traffic, of 1000 a fifteenth.
_SKEW: Final = 0.8


@dataclass(frozen=True, slots=True)
class SimulatedAccount:
    """One account and how its administrators configure it when it is opened."""

    account_id: str
    plan: Plan
    billing_cycle: BillingCycle
    time_zone: str
    anchor: str
    #: Packs bought at the start.
    packs: int = 0
    #: Percentages that alert; empty: the default.
    thresholds: tuple[int, ...] = ()
    #: Auto-recharge buys one pack when fewer sessions remain; 0: it is off.
    recharge_below: int = 0
    #: Packs that an administrator buys after the alert that the sessions are used up; 0: none.
    packs_when_exhausted: int = 0


_YEAR: Final = "2026-01-01T00:00:00.000Z"
_PATTERNS: Final = (
    SimulatedAccount(
        "northwind", "enterprise", "annual", "America/New_York", _YEAR, packs=2, thresholds=(50, 80), recharge_below=100
    ),
    SimulatedAccount("contoso", "growth", "monthly", "Europe/Berlin", _YEAR, packs_when_exhausted=2),
    SimulatedAccount("initech", "pro", "quarterly", "America/Chicago", "2026-01-31T12:00:00.000Z", packs=1),
    SimulatedAccount("umbrella", "growth", "monthly", "Asia/Tokyo", "2026-01-31T00:00:00.000Z"),
    SimulatedAccount(
        "globex", "pro", "half_yearly", "Asia/Kolkata", _YEAR, thresholds=(25, 75, 95), packs_when_exhausted=1
    ),
    SimulatedAccount("hooli", "enterprise", "quarterly", "America/Los_Angeles", _YEAR, packs=1, thresholds=(50,)),
    SimulatedAccount("soylent", "growth", "monthly", "Australia/Sydney", "2024-02-29T00:00:00.000Z"),
    SimulatedAccount("acme", "free", "monthly", "Europe/London", _YEAR, packs=1),
    SimulatedAccount("wonka", "growth", "monthly", "Europe/Zurich", _YEAR, packs_when_exhausted=1),
    SimulatedAccount("stark", "pro", "annual", "America/Sao_Paulo", _YEAR, thresholds=(10, 60, 90)),
    SimulatedAccount("tyrell", "enterprise", "monthly", "Asia/Singapore", _YEAR),
    SimulatedAccount("wayne", "free", "monthly", "UTC", _YEAR),
)

#: Opened and closed again; only faulty traffic names it.
CLOSED: Final = SimulatedAccount("vandelay", "growth", "monthly", "UTC", _YEAR)
#: Never opened.
UNKNOWN_ACCOUNT_ID: Final = "nobody"


def population(count: int) -> tuple[SimulatedAccount, ...]:
    """Returns the first `count` accounts, the largest first."""
    accounts = []
    for number in range(count):
        generation, place = divmod(number, len(_PATTERNS))
        pattern = _PATTERNS[place]
        name = f"{pattern.account_id}-{generation + 1}" if generation else pattern.account_id
        accounts.append(replace(pattern, account_id=name))
    return tuple(accounts)


def shares(count: int) -> tuple[float, ...]:
    """Returns each account's share of the traffic, relative to the first."""
    return tuple((number + 1) ** -_SKEW for number in range(count))


def opening(account: SimulatedAccount) -> Iterator[dict[str, object]]:
    """Yields the fields of the commands that open and configure the account."""
    yield {
        "type": "open_account",
        "plan": account.plan,
        "billing_cycle": account.billing_cycle,
        "anchor": account.anchor,
        "time_zone": account.time_zone,
        "contacts": [f"admin@{account.account_id}.example"],
    }
    if account.packs:
        yield {"type": "purchase_packs", "packs": account.packs}
    if account.thresholds:
        yield {"type": "set_thresholds", "percents": list(account.thresholds)}
    if account.recharge_below:
        yield {"type": "set_auto_recharge", "below": account.recharge_below, "packs": 1}
    if account == CLOSED:
        yield {"type": "close_account"}
