"""Accounts: as a line of the list, and in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from botmeter.domain.commands import Plan
from botmeter.domain.cycles import BillingCycle
from botmeter.domain.events import Pool
from botmeter.readside.results.origin import CycleSpan, Freshness, JournalPlace, Money

#: `active`: the bot answers. `near_end`: it does, and a threshold is reached. `exhausted`: agents answer. `closed`.
AccountState = Literal["active", "near_end", "exhausted", "closed"]
SortBy = Literal["risk", "account_id"]


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """An account's balance and state."""

    account_id: str
    state: AccountState
    since: int
    reason: str | None
    plan: Plan
    pool: Pool
    total: int
    used: int
    remaining: int
    #: Rounded down to one decimal; 0.0 when there are no sessions at all.
    used_percent: float
    packs: int
    packs_next_cycle: int
    cycle_number: int
    cycle_starts_at: int
    cycle_ends_at: int
    time_zone: str
    last_session_at: int | None
    place: JournalPlace


@dataclass(frozen=True, slots=True)
class AutoRecharge:
    """Buy `packs` when fewer than `below` sessions remain (`A11`)."""

    below: int
    packs: int


@dataclass(frozen=True, slots=True)
class AccountLine(AccountSummary):
    """One line of the list of accounts, with the same forecast as the account's own page.

    Both are None where there is too little usage for a forecast, and where no sessions are left; `runs_out_at` also
    where they last to the end of the cycle.
    """

    pace_per_day: float | None
    runs_out_at: int | None
    auto_recharge: AutoRecharge | None


@dataclass(frozen=True, slots=True)
class AccountPage:
    """One page of accounts; `next_cursor` leads to the next page, None: this is the last."""

    accounts: tuple[AccountLine, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Threshold:
    """A percentage that alerts. `at_sessions` is the used count that reaches it, `reached_at` None without an alert."""

    percent: int
    at_sessions: int
    is_reached: bool
    reached_at: int | None


@dataclass(frozen=True, slots=True)
class AccountDetail:
    """Everything of one account except its history."""

    summary: AccountSummary
    opened_at: int
    cycle: CycleSpan
    #: Differs from the cycle's while a change is scheduled (`A9`); it takes effect at the cycle's end.
    next_billing_cycle: BillingCycle
    thresholds: tuple[Threshold, ...]
    auto_recharge: AutoRecharge | None
    contacts: tuple[Any, ...]
    complimentary_granted: bool
    #: When complimentary sessions were forfeited, and how many; None: never.
    complimentary_forfeited_at: int | None
    complimentary_forfeited: int | None
    #: What a pack costs and holds, by the last charge of this account; None before the first.
    pack_price: Money | None
    pack_sessions: int | None
    freshness: Freshness
