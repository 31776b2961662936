"""The Account aggregate: its state, and how each event of the journal changes it.

State is the fold of the journal and nothing else (`J1`). `metering.py` (interactions) and `billing.py` (commands,
cycles) decide which events occur. The 24-hour windows and the handed-off chats belong to the aggregate too, but there
are millions of them, so they are kept outside it, as the `Memory` of one end-user and conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, assert_never

from botmeter.domain import events as ev
from botmeter.domain.commands import CommandResult, Plan
from botmeter.domain.contacts import Contacts
from botmeter.domain.cycles import BillingCycle, Cycle
from botmeter.domain.events import Event, ExhaustionReason, Pool
from botmeter.domain.prices import DAY_MS
from botmeter.domain.thresholds import reached_of, with_reached

Status = Literal["active", "exhausted", "closed"]

#: Results of commands are kept for at least this time (`C1`).
COMMAND_MEMORY_MS: Final = 30 * DAY_MS


@dataclass(frozen=True, slots=True)
class Terms:
    """The account's settings. `next_billing_cycle` differs from `billing_cycle` while a change is scheduled (`A9`)."""

    plan: Plan
    time_zone: str
    billing_cycle: BillingCycle
    next_billing_cycle: BillingCycle
    anchor: int
    contacts: Contacts
    thresholds: tuple[int, ...]
    recharge_below: int
    recharge_packs: int
    complimentary_granted: bool


@dataclass(frozen=True, slots=True)
class Allowance:
    """The prepaid counter. `reached` holds the thresholds that have alerted and do not alert again for now (`T2`)."""

    pool: Pool
    total: int
    used: int
    packs: int
    packs_next_cycle: int
    reached: tuple[int, ...]

    @property
    def remaining(self) -> int:
        """Sessions that can still be charged; never negative (`T6`)."""
        return self.total - self.used


@dataclass(frozen=True, slots=True)
class PastCycle:
    """The pool of the previous cycle, which sessions that arrive late may still use (`A13`)."""

    number: int
    starts_at: int
    pool: Pool
    total: int
    used: int


@dataclass(frozen=True, slots=True)
class Account:
    """One account at one `version` of its journal. Times are UTC ms."""

    account_id: str
    version: int
    status: Status
    terms: Terms
    cycle: Cycle
    allowance: Allowance
    past_cycle: PastCycle | None
    #: Results of the commands of the last 30 days by command_id, oldest first (`C1`).
    handled: Mapping[str, CommandResult]

    @property
    def exhaustion_reason(self) -> ExhaustionReason:
        """Why an exhausted account has no session left (`T3`)."""
        return "sessions_exhausted" if self.allowance.total else "no_sessions"


def fold(account: Account | None, events: Iterable[Event]) -> Account | None:
    """Returns the account after these events of its journal."""
    for event in events:
        account = evolve(account, event)
    return account


def evolve(account: Account | None, event: Event) -> Account:
    """Returns the account after one event; pure (`J2`).

    Raises ValueError when the event does not follow the account's version (`J1`).
    """
    if account is None:
        if isinstance(event, ev.AccountOpened) and event.version == 1:
            return _opened(event)
        raise ValueError(f"{event.account_id}: version {event.version} has no account before it")
    if event.version != account.version + 1:
        raise ValueError(f"{event.account_id}: version {event.version} follows version {account.version}")
    if isinstance(event, ev.SessionStarted):  # by far the most frequent event, so tested first
        return _session_started(account, event)
    return replace(_changed(account, event), version=event.version)


def evolve_over_gap(account: Account | None, event: Event) -> Account | None:
    """Like `evolve`, but accepts missing events before this one, a loss that an operator has accepted (against `J1`).

    The changes of the lost events are unknown and stay missing. Returns None when the account's opening is lost.
    """
    if account is None:
        return _opened(event) if isinstance(event, ev.AccountOpened) else None
    return evolve(replace(account, version=event.version - 1), event)


def _opened(event: ev.AccountOpened) -> Account:
    return Account(
        account_id=event.account_id,
        version=1,
        status="active",
        terms=Terms(
            plan=event.plan,
            time_zone=event.time_zone,
            billing_cycle=event.billing_cycle,
            next_billing_cycle=event.billing_cycle,
            anchor=event.anchor,
            contacts=event.contacts,
            thresholds=event.thresholds,
            recharge_below=0,
            recharge_packs=0,
            complimentary_granted=False,
        ),
        cycle=Cycle(1, event.starts_at, event.ends_at),
        allowance=Allowance("none", 0, 0, 0, 0, ()),
        past_cycle=None,
        handled={},
    )


def _session_started(account: Account, event: ev.SessionStarted) -> Account:
    past = account.past_cycle
    if past is not None and event.cycle_number == past.number:
        return replace(account, version=event.version, past_cycle=replace(past, used=event.used))
    return with_sessions(account, event.used, event.version)


def with_sessions(account: Account, used: int, version: int) -> Account:
    """Returns the account after session starts in its current cycle that raised it to `used` and `version`.

    The result equals the fold of these starts, however many there were.
    """
    old = account.allowance
    return Account(
        account.account_id,
        version,
        account.status,
        account.terms,
        account.cycle,
        Allowance(old.pool, old.total, used, old.packs, old.packs_next_cycle, old.reached),
        account.past_cycle,
        account.handled,
    )


def _changed(account: Account, event: Event) -> Account:
    """Returns the account after any event except SessionStarted; the caller sets the version."""
    match event:
        case ev.ThresholdReached():
            reached = with_reached(account.allowance.reached, event.percent)
            return replace(account, allowance=replace(account.allowance, reached=reached))
        case ev.ChatHandedOff():
            return account  # remembered outside the account, by conversation
        case ev.SessionsExhausted():
            return replace(account, status="exhausted")
        case ev.SessionsAvailable():
            return replace(account, status="active")
        case ev.CycleStarted():
            return _cycle_started(account, event)
        case ev.AccountClosed():
            return replace(account, status="closed")
        case ev.CommandHandled():
            return replace(account, handled=_with_result(account, event))
        case ev.ComplimentaryGranted() | ev.ComplimentaryForfeited() | ev.PacksPurchased() | ev.SessionsCredited():
            return _pool_changed(account, event)
        case ev.PackReductionScheduled() | ev.PackReductionCancelled():
            return replace(account, allowance=replace(account.allowance, packs_next_cycle=event.packs_next_cycle))
        case ev.PlanChanged() | ev.BillingCycleChangeScheduled() | ev.AutoRechargeSet() | ev.ContactsSet():
            return replace(account, terms=_terms_changed(account.terms, event))
        case ev.ThresholdsSet():
            terms = replace(account.terms, thresholds=event.percents)
            return replace(account, terms=terms, allowance=replace(account.allowance, reached=event.reached))
        case ev.AccountOpened() | ev.SessionStarted():
            raise ValueError(f"{event.account_id}: {type(event).__name__} cannot follow version {account.version}")
        case _:
            assert_never(event)


def _pool_changed(
    account: Account,
    event: ev.ComplimentaryGranted | ev.ComplimentaryForfeited | ev.PacksPurchased | ev.SessionsCredited,
) -> Account:
    old = account.allowance
    match event:
        case ev.ComplimentaryGranted():
            new = replace(old, pool="complimentary", total=event.sessions, used=0, reached=())
            return replace(account, allowance=new, terms=replace(account.terms, complimentary_granted=True))
        case ev.ComplimentaryForfeited():
            new = replace(old, pool="none", total=0, used=0, reached=())
        case ev.PacksPurchased():
            packs, packs_next = old.packs + event.packs, old.packs_next_cycle + event.packs
            reached = reached_of(old.reached, event.used, event.total)
            new = Allowance("purchased", event.total, event.used, packs, packs_next, reached)
        case ev.SessionsCredited():
            reached = reached_of(old.reached, event.used, event.total)
            new = replace(old, pool=event.pool, total=event.total, used=event.used, reached=reached)
    return replace(account, allowance=new)


def _cycle_started(account: Account, event: ev.CycleStarted) -> Account:
    old, terms = account.allowance, account.terms
    return replace(
        account,
        cycle=Cycle(event.number, event.starts_at, event.ends_at),
        past_cycle=PastCycle(account.cycle.number, account.cycle.starts_at, old.pool, old.total, old.used),
        terms=replace(
            terms,
            anchor=event.anchor,
            billing_cycle=event.billing_cycle,
            next_billing_cycle=event.billing_cycle,
        ),
        allowance=Allowance(
            pool=event.pool,
            total=event.total,
            used=event.used,
            packs=event.packs,
            packs_next_cycle=event.packs,
            reached=reached_of(old.reached, event.used, event.total),
        ),
    )


def _terms_changed(
    terms: Terms, event: ev.PlanChanged | ev.BillingCycleChangeScheduled | ev.AutoRechargeSet | ev.ContactsSet
) -> Terms:
    match event:
        case ev.PlanChanged():
            return replace(terms, plan=event.plan)
        case ev.BillingCycleChangeScheduled():
            return replace(terms, next_billing_cycle=event.billing_cycle)
        case ev.AutoRechargeSet():
            return replace(terms, recharge_below=event.below, recharge_packs=event.packs)
        case ev.ContactsSet():
            return replace(terms, contacts=event.contacts)


def _with_result(account: Account, event: ev.CommandHandled) -> dict[str, CommandResult]:
    """Returns the results of the last 30 days, with this one last."""
    handled = dict(account.handled)
    for command_id, result in account.handled.items():
        if is_remembered(result, event.at):
            break  # the oldest come first, and there may be thousands
        del handled[command_id]
    handled.pop(event.command_id, None)
    handled[event.command_id] = result_of(event)
    return handled


def is_remembered(result: CommandResult, at: int) -> bool:
    """Whether a command that repeats the id at broker time `at` still gets this result (`C1`)."""
    return at - result.at <= COMMAND_MEMORY_MS


def result_of(event: ev.CommandHandled) -> CommandResult:
    """Returns the result that the issuer gets, now and whenever the command is repeated."""
    return CommandResult(event.command_id, event.at, event.version, event.reason, event.message, event.charged)
