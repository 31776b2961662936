"""What the world is told: alerts and handoffs, each from one event of the journal (`J3`); balances; answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from botmeter.domain import events as ev
from botmeter.domain.account import Account, Status
from botmeter.domain.commands import CommandResult, Plan, Refusal
from botmeter.domain.cycles import BillingCycle
from botmeter.domain.events import AvailableReason, Event, ExhaustionReason, Pool


@dataclass(frozen=True, slots=True)
class Alert:
    """For the notification service: `percent` of the sessions are used, 100 when exhausted (`T1`, `T3`)."""

    type: Literal["threshold_reached", "sessions_exhausted"]
    alert_id: str
    account_id: str
    version: int
    at: int
    percent: int
    used: int
    total: int
    remaining: int
    pool: Pool
    cycle_number: int
    cycle_ends_at: int
    contacts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HandedOffChat:
    """For the routing service: this conversation goes to the agents (`T4`)."""

    type: Literal["chat_handed_off"]
    handoff_id: str
    account_id: str
    version: int
    at: int
    conversation_id: str
    end_user_id: str
    bot_id: str
    reason: ExhaustionReason


@dataclass(frozen=True, slots=True)
class SuspendedBot:
    """For the routing service: the account's bots stand still (`T3`, `C4`)."""

    type: Literal["bot_suspended"]
    account_id: str
    version: int
    at: int
    reason: ExhaustionReason | Literal["account_closed"]
    conversations: Literal["transfer_to_agents"] = "transfer_to_agents"
    self_service: Literal["stopped"] = "stopped"


@dataclass(frozen=True, slots=True)
class ResumedBot:
    """For the routing service: the account's bots go on (`T5`)."""

    type: Literal["bot_resumed"]
    account_id: str
    version: int
    at: int
    reason: AvailableReason


Handoff = HandedOffChat | SuspendedBot | ResumedBot
Announcement = Alert | Handoff


def announce(event: Event, contacts: tuple[str, ...]) -> tuple[Announcement, ...]:
    """What follows from one event, in order; `contacts` are the account's at that moment."""
    head = (event.account_id, event.version, event.at)
    match event:
        case ev.ThresholdReached():
            return (_alert("threshold_reached", event, event.percent, contacts),)
        case ev.SessionsExhausted():
            suspended = SuspendedBot("bot_suspended", *head, event.reason)
            if event.reason == "no_sessions":
                return (suspended,)
            return (_alert("sessions_exhausted", event, 100, contacts), suspended)
        case ev.SessionsAvailable():
            return (ResumedBot("bot_resumed", *head, event.reason),)
        case ev.ChatHandedOff():
            chat = (event.conversation_id, event.end_user_id, event.bot_id)
            return (HandedOffChat("chat_handed_off", event.handoff_id, *head, *chat, reason=event.reason),)
        case ev.AccountClosed():
            return () if event.was_exhausted else (SuspendedBot("bot_suspended", *head, "account_closed"),)
        case _:
            return ()


def _alert(
    type_: Literal["threshold_reached", "sessions_exhausted"],
    event: ev.ThresholdReached | ev.SessionsExhausted,
    percent: int,
    contacts: tuple[str, ...],
) -> Alert:
    return Alert(
        type=type_,
        alert_id=f"{event.account_id}/{event.version}",
        account_id=event.account_id,
        version=event.version,
        at=event.at,
        percent=percent,
        used=event.used,
        total=event.total,
        remaining=event.remaining,
        pool=event.pool,
        cycle_number=event.cycle_number,
        cycle_ends_at=event.cycle_ends_at,
        contacts=contacts,
    )


# --- Balances --------------------------------------------------------------------------------------------------------


# A balance follows almost every transaction; frozen classes take three times as long to make.
@dataclass(slots=True)
class BalanceCycle:
    """The billing cycle of a balance, `[starts_at, ends_at)`."""

    number: int
    billing_cycle: BillingCycle
    starts_at: int
    ends_at: int


@dataclass(slots=True)
class Balance:
    """Where an account stands after `version`; `used_percent` is rounded down to one decimal, 0.0 of a total of 0."""

    account_id: str
    version: int
    at: int
    status: Status
    plan: Plan
    pool: Pool
    total: int
    used: int
    remaining: int
    used_percent: float
    packs: int
    packs_next_cycle: int
    cycle: BalanceCycle


def balance_of(account: Account, at: int) -> Balance:
    """The account's balance; `at` is the time (UTC ms) of the event that made it so."""
    allowance, cycle, terms = account.allowance, account.cycle, account.terms
    used, total = allowance.used, allowance.total
    return Balance(
        account.account_id,
        account.version,
        at,
        account.status,
        terms.plan,
        allowance.pool,
        total,
        used,
        allowance.remaining,
        used * 1000 // total / 10 if total else 0.0,
        allowance.packs,
        allowance.packs_next_cycle,
        BalanceCycle(cycle.number, terms.billing_cycle, cycle.starts_at, cycle.ends_at),
    )


# --- Answers to commands ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """For the issuer of a command: it was carried out; `version` is the account's after it (`C2`)."""

    command_id: str
    account_id: str
    version: int
    at: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """For the issuer of a command: it changed nothing (`C2`)."""

    command_id: str
    account_id: str
    at: int
    reason: Refusal
    message: str


Answer = Accepted | Rejected


def answer(account_id: str, result: CommandResult) -> Answer:
    """What the issuer of a command to this account is told. Raises ValueError for a result that is neither."""
    if result.reason is not None and result.message is not None:
        return Rejected(result.command_id, account_id, result.at, result.reason, result.message)
    if result.version is not None:
        return Accepted(result.command_id, account_id, result.version, result.at)
    raise ValueError(f"{account_id}: command {result.command_id} has no result")
