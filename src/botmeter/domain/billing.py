"""Decisions on billing: cycle rollovers, packs, plans, credits, and every command. Pure (`J2`).

Events are decided in journal order; the state after them is their fold (`account.py`).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from botmeter.domain import commands as cmd
from botmeter.domain import events as ev
from botmeter.domain.account import Account, is_remembered, result_of
from botmeter.domain.commands import Command, CommandResult, Refusal, ValidCommand
from botmeter.domain.cycles import boundaries_around, cycle_from
from botmeter.domain.decision import Decision, exhaust_when_empty, resume_when_available
from botmeter.domain.events import Cause, Event, Pool
from botmeter.domain.naming import type_name
from botmeter.domain.prices import Money, Rules
from botmeter.domain.thresholds import reached_of

# --- Cycles ----------------------------------------------------------------------------------------------------------


def decide_tick(account: Account, at: int, cause: Cause, rules: Rules) -> list[Event]:
    """Returns the events of all cycle boundaries due at `at`, each effective at its boundary (`A12`)."""
    decision = Decision(account, cause)
    roll_due_cycles(decision, at, rules)
    return decision.events


def roll_due_cycles(decision: Decision, at: int, rules: Rules) -> None:
    """Starts every cycle whose boundary lies at or before `at`, one by one (`A12`); none for a closed account."""
    while decision.account.status != "closed" and decision.account.cycle.ends_at <= at:
        _start_cycle(decision, rules)


def _start_cycle(decision: Decision, rules: Rules) -> None:
    """Starts the next cycle: unused sessions expire, packs renew, scheduled changes take effect (`A6` to `A9`)."""
    account, old, terms = decision.account, decision.account.allowance, decision.account.terms
    starts_at = account.cycle.ends_at
    anchor = terms.anchor if terms.next_billing_cycle == terms.billing_cycle else starts_at
    cycle = cycle_from(anchor, terms.time_zone, terms.next_billing_cycle, starts_at, account.cycle.number + 1)
    packs = old.packs_next_cycle
    renewed: tuple[Pool, int, int, int]  # pool, total, used, expired
    if old.pool == "complimentary":
        renewed = ("complimentary", old.total, old.used, 0)
    else:
        renewed = ("purchased" if packs else "none", packs * rules.prices.pack_sessions, 0, old.remaining)
    pool, total, used, expired = renewed
    decision.emit(
        ev.CycleStarted(
            **decision.head(starts_at),
            number=cycle.number,
            starts_at=cycle.starts_at,
            ends_at=cycle.ends_at,
            billing_cycle=terms.next_billing_cycle,
            anchor=anchor,
            pool=pool,
            packs=packs,
            total=total,
            used=used,
            expired=expired,
            charge=rules.prices.charge(packs) if packs else None,
        )
    )
    resume_when_available(decision, "cycle_started", starts_at)
    exhaust_when_empty(decision, starts_at)


# --- Commands --------------------------------------------------------------------------------------------------------


class _Refused(NamedTuple):
    """Why a command is refused; nothing was emitted for it."""

    reason: Refusal
    message: str


def decide_command(
    account_id: str, account: Account | None, command: Command, at: int, cause: Cause, rules: Rules
) -> tuple[list[Event], CommandResult]:
    """Returns the events and the result of a command that the broker received at `at` (UTC ms) (`C1` to `C4`).

    A command handled before gets the same result. The reasons of a refusal are checked in the order of `C2`.
    """
    decision = Decision(account, cause)
    return decision.events, take_command(decision, account_id, command, at, rules)


def take_command(decision: Decision, account_id: str, command: Command, at: int, rules: Rules) -> CommandResult:
    """Like `decide_command`, but adds the events to a new `decision`."""
    account = decision.before
    if account is not None:
        roll_due_cycles(decision, at, rules)
        known = account.handled.get(command.command_id)
        if known is not None and is_remembered(known, at):
            return known
    refused = _execute(decision, account_id, account, command, at, rules)
    if refused is not None and account is None:
        return CommandResult(command.command_id, at, None, refused.reason, refused.message)
    return _handled(decision, command, at, refused)


def _handled(decision: Decision, command: Command, at: int, refused: _Refused | None) -> CommandResult:
    event = ev.CommandHandled(
        **decision.head(at),
        command_id=command.command_id,
        command=command.type if isinstance(command, cmd.InvalidCommand) else type_name(type(command)),
        issued_by=command.issued_by,
        result="rejected" if refused else "accepted",
        reason=refused.reason if refused else None,
        message=refused.message if refused else None,
        charged=_charge(decision.events),
    )
    decision.emit(event)
    return result_of(event)


def _charge(events: list[Event]) -> Money | None:
    """Returns the price of the packs that the command bought; renewals of due cycles before it do not count."""
    bought = (event.charge for event in events if isinstance(event, ev.PacksPurchased))
    return next(bought, None)


def _execute(
    decision: Decision,
    account_id: str,
    account: Account | None,
    command: Command,
    at: int,
    rules: Rules,
) -> _Refused | None:
    """Emits the events that the command requests, or returns why it is refused."""
    if isinstance(command, cmd.InvalidCommand):
        return _Refused("invalid", command.message)
    if account is None:
        if not isinstance(command, cmd.OpenAccount):
            return _Refused("unknown_account", f"account {account_id} was never opened")
        _open(decision, account_id, command, at, rules)
        return None
    if account.status == "closed":
        return _Refused("account_closed", f"account {account_id} is closed")
    return _execute_on_open_account(decision, command, at, rules)


def _execute_on_open_account(decision: Decision, command: ValidCommand, at: int, rules: Rules) -> _Refused | None:
    """Applies the rules of each command to an account that exists and is not closed."""
    match command:
        case cmd.PurchasePacks():
            purchase(decision, command.packs, "command", at, rules)
        case cmd.ReducePacks():
            return _reduce(decision, command.packs, at)
        case cmd.CancelReduction():
            return _cancel_reduction(decision, at)
        case cmd.ChangePlan():
            _change_plan(decision, command.plan, at, rules)
        case cmd.ChangeBillingCycle():
            if command.billing_cycle != decision.account.terms.next_billing_cycle:
                effective_at = decision.account.cycle.ends_at
                decision.emit(
                    ev.BillingCycleChangeScheduled(
                        **decision.head(at), billing_cycle=command.billing_cycle, effective_at=effective_at
                    )
                )
        case cmd.CreditSessions():
            _credit(decision, command.sessions, command.reason, at)
        case cmd.SetThresholds():
            allowance = decision.account.allowance
            reached = reached_of(command.percents, allowance.used, allowance.total)
            decision.emit(ev.ThresholdsSet(**decision.head(at), percents=command.percents, reached=reached))
        case cmd.SetAutoRecharge():
            decision.emit(ev.AutoRechargeSet(**decision.head(at), below=command.below, packs=command.packs))
        case cmd.SetContacts():
            decision.emit(ev.ContactsSet(**decision.head(at), contacts=command.contacts))
        case cmd.CloseAccount():
            was_exhausted = decision.account.status == "exhausted"
            decision.emit(ev.AccountClosed(**decision.head(at), was_exhausted=was_exhausted))
        case cmd.OpenAccount():
            return _Refused("account_exists", f"account {decision.account.account_id} is open already")
    return None


def _open(decision: Decision, account_id: str, command: cmd.OpenAccount, at: int, rules: Rules) -> None:
    """Opens the account in the cycle that contains `at` (`A4`), with its plan's complimentary sessions (`A1`)."""
    anchor = at if command.anchor is None else command.anchor
    starts_at, ends_at = boundaries_around(anchor, command.time_zone, command.billing_cycle, at)
    decision.emit(
        ev.AccountOpened(
            account_id,
            1,
            at,
            decision.cause,
            plan=command.plan,
            billing_cycle=command.billing_cycle,
            anchor=anchor,
            time_zone=command.time_zone,
            contacts=command.contacts,
            thresholds=rules.default_thresholds,
            starts_at=starts_at,
            ends_at=ends_at,
        )
    )
    _grant_complimentary(decision, at, rules)
    exhaust_when_empty(decision, at)


def _grant_complimentary(decision: Decision, at: int, rules: Rules) -> None:
    """Grants complimentary sessions: once per account, on a plan that has them, and into no other pool (`A1`, `A2`)."""
    terms, sessions = decision.account.terms, rules.prices.complimentary_sessions
    if (
        terms.plan != "free"
        and not terms.complimentary_granted
        and decision.account.allowance.pool == "none"
        and sessions
    ):
        decision.emit(ev.ComplimentaryGranted(**decision.head(at), sessions=sessions))


def _forfeit_complimentary(decision: Decision, at: int) -> None:
    allowance = decision.account.allowance
    if allowance.pool == "complimentary":
        decision.emit(ev.ComplimentaryForfeited(**decision.head(at), sessions=allowance.remaining))


def purchase(
    decision: Decision, packs: int, trigger: Literal["command", "auto_recharge"], at: int, rules: Rules
) -> None:
    """Adds packs to this cycle and the following ones, charged in full; replaces a complimentary pool (`A5`, `A7`)."""
    _forfeit_complimentary(decision, at)
    allowance, sessions = decision.account.allowance, packs * rules.prices.pack_sessions
    charge, total = rules.prices.charge(packs), allowance.total + sessions
    decision.emit(
        ev.PacksPurchased(
            **decision.head(at),
            packs=packs,
            sessions=sessions,
            charge=charge,
            total=total,
            used=allowance.used,
            trigger=trigger,
        )
    )
    resume_when_available(decision, "packs_purchased", at)


def _reduce(decision: Decision, packs: int, at: int) -> _Refused | None:
    left = decision.account.allowance.packs_next_cycle - packs
    if left < 0:
        return _Refused("reduces_below_zero", f"the next cycle has {left + packs} packs, {packs} cannot be taken away")
    decision.emit(ev.PackReductionScheduled(**decision.head(at), packs=packs, packs_next_cycle=left))
    return None


def _cancel_reduction(decision: Decision, at: int) -> _Refused | None:
    allowance = decision.account.allowance
    if allowance.packs_next_cycle == allowance.packs:
        return _Refused("no_pending_reduction", "no reduction of packs is pending")
    decision.emit(ev.PackReductionCancelled(**decision.head(at), packs_next_cycle=allowance.packs))
    return None


def _change_plan(decision: Decision, plan: cmd.Plan, at: int, rules: Rules) -> None:
    old_plan = decision.account.terms.plan
    if plan == old_plan:
        return
    decision.emit(ev.PlanChanged(**decision.head(at), plan=plan))
    if plan == "free":
        _forfeit_complimentary(decision, at)
        exhaust_when_empty(decision, at)
    elif old_plan == "free":
        _grant_complimentary(decision, at, rules)
        resume_when_available(decision, "plan_changed", at)


def _credit(decision: Decision, sessions: int, reason: str, at: int) -> None:
    """Adds to the current pool; without one, opens a purchased pool that lasts to the cycle's end (`A10`)."""
    allowance = decision.account.allowance
    pool: ev.Pool = "purchased" if allowance.pool == "none" else allowance.pool
    total = allowance.total + sessions
    decision.emit(
        ev.SessionsCredited(
            **decision.head(at), sessions=sessions, reason=reason, pool=pool, total=total, used=allowance.used
        )
    )
    resume_when_available(decision, "sessions_credited", at)
