"""The shared part of all decisions: the events decided so far, and the two changes of an account's status."""

from __future__ import annotations

from typing import TypedDict

from botmeter.domain import events as ev
from botmeter.domain.account import Account, evolve
from botmeter.domain.events import AvailableReason, Cause, Event, Pool


class Head(TypedDict):
    """The fields of every event (`J1`, `J3`, `J5`)."""

    account_id: str
    version: int
    at: int
    cause: Cause


class Decision:
    """The events decided so far, and the account after each of them."""

    __slots__ = ("_account", "before", "cause", "events", "states")

    def __init__(self, account: Account | None, cause: Cause) -> None:
        self._account, self.cause = account, cause
        #: The account before anything was decided.
        self.before = account
        self.events: list[Event] = []
        #: The account after each of the events.
        self.states: list[Account] = []

    @property
    def account(self) -> Account:
        """The account after the events decided so far; raises ValueError before one was opened."""
        if self._account is None:
            raise ValueError("no account was opened")
        return self._account

    def head(self, at: int) -> Head:
        """Returns the fields of every event for the next one, which takes effect at `at` (UTC ms)."""
        account = self.account
        return {"account_id": account.account_id, "version": account.version + 1, "at": at, "cause": self.cause}

    def emit(self, event: Event) -> None:
        """Adds an event; later decisions see the state after it."""
        self._account = evolve(self._account, event)
        self.events.append(event)
        self.states.append(self._account)


class Usage(TypedDict):
    """The usage of an account, as fields of the events that announce it."""

    used: int
    total: int
    remaining: int
    pool: Pool
    cycle_number: int
    cycle_ends_at: int


def usage(account: Account) -> Usage:
    """Returns the account's current usage."""
    allowance, cycle = account.allowance, account.cycle
    return {
        "used": allowance.used,
        "total": allowance.total,
        "remaining": allowance.remaining,
        "pool": allowance.pool,
        "cycle_number": cycle.number,
        "cycle_ends_at": cycle.ends_at,
    }


def exhaust_when_empty(decision: Decision, at: int) -> None:
    """Makes an active account without a session left exhausted (`T3`)."""
    account = decision.account
    if account.status == "active" and account.allowance.remaining == 0:
        decision.emit(ev.SessionsExhausted(**decision.head(at), reason=account.exhaustion_reason, **usage(account)))


def resume_when_available(decision: Decision, reason: AvailableReason, at: int) -> None:
    """Makes an exhausted account that has sessions again active (`T5`)."""
    account, allowance = decision.account, decision.account.allowance
    if account.status == "exhausted" and allowance.remaining > 0:
        decision.emit(
            ev.SessionsAvailable(
                **decision.head(at),
                reason=reason,
                used=allowance.used,
                total=allowance.total,
                remaining=allowance.remaining,
            )
        )
