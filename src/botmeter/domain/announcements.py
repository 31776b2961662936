"""Messages to other services: alerts and handoffs, each from one journal event (`J3`); balances; command results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

from botmeter.domain import events as ev
from botmeter.domain.account import Account, Status
from botmeter.domain.commands import CommandResult, Plan, Refusal
from botmeter.domain.contacts import Contacts
from botmeter.domain.cycles import BillingCycle, Cycle
from botmeter.domain.events import AvailableReason, Event, ExhaustionReason, Pool
from botmeter.domain.prices import Money
from botmeter.domain.sessions import Widget

#: Why bots are suspended; after `account_closed` they never resume.
SuspensionReason = Literal["sessions_exhausted", "no_sessions", "account_closed"]


@dataclass(frozen=True, slots=True)
class AutoRecharge:
    """Buy `packs` when fewer than `below` sessions remain (`A11`)."""

    below: int
    packs: int


@dataclass(frozen=True, slots=True)
class Alert:
    """For the notification service: `percent` of the sessions are used, 100 when exhausted (`T1`, `T3`).

    The fields after `contacts` are None in alerts of release 0.1.0.
    """

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
    #: All contacts of the account, including those that chose to get only some alerts (`T7`).
    contacts: Contacts
    plan: Plan | None = None
    packs: int | None = None
    time_zone: str | None = None
    cycle_starts_at: int | None = None
    #: How much of the cycle's time is over, rounded down to one decimal (`T7`).
    cycle_elapsed_percent: float | None = None
    #: None when it is off.
    auto_recharge: AutoRecharge | None = None


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
    widget: Widget = "conversations"
    #: Time of the interaction, UTC ms; None in handoffs of release 0.1.0.
    occurred_at: int | None = None


@dataclass(frozen=True, slots=True)
class SuspendedBot:
    """For the routing service: the account's bots are suspended (`T3`, `C4`)."""

    type: Literal["bot_suspended"]
    account_id: str
    version: int
    at: int
    reason: SuspensionReason
    conversations: Literal["transfer_to_agents"] = "transfer_to_agents"
    self_service: Literal["stopped"] = "stopped"
    #: None in suspensions of release 0.1.0.
    handoff_id: str | None = None


@dataclass(frozen=True, slots=True)
class ResumedBot:
    """For the routing service: the account's bots resume (`T5`)."""

    type: Literal["bot_resumed"]
    account_id: str
    version: int
    at: int
    reason: AvailableReason
    #: None in resumptions of release 0.1.0.
    handoff_id: str | None = None


Handoff = HandedOffChat | SuspendedBot | ResumedBot
Announcement = Alert | Handoff


class _HandoffHead(TypedDict):
    account_id: str
    version: int
    at: int
    handoff_id: str


def _handoff_head(event: Event) -> _HandoffHead:
    """Returns the fields that suspensions and resumptions have in common."""
    handoff_id = f"{event.account_id}/{event.version}"
    return {"account_id": event.account_id, "version": event.version, "at": event.at, "handoff_id": handoff_id}


def announce(event: Event, account: Account) -> tuple[Announcement, ...]:
    """Returns the messages that one event causes, in order; `account` is the account after the event."""
    head = _handoff_head(event)
    match event:
        case ev.ThresholdReached():
            return (_alert("threshold_reached", event, event.percent, account),)
        case ev.SessionsExhausted():
            suspended = SuspendedBot(type="bot_suspended", **head, reason=event.reason)
            if event.reason == "no_sessions":
                return (suspended,)
            return (_alert("sessions_exhausted", event, 100, account), suspended)
        case ev.SessionsAvailable():
            return (ResumedBot(type="bot_resumed", **head, reason=event.reason),)
        case ev.ChatHandedOff():
            return (_handed_off(event),)
        case ev.AccountClosed() if not event.was_exhausted:
            return (SuspendedBot(type="bot_suspended", **head, reason="account_closed"),)
        case _:
            return ()


def _handed_off(event: ev.ChatHandedOff) -> HandedOffChat:
    return HandedOffChat(
        type="chat_handed_off",
        handoff_id=event.handoff_id,
        account_id=event.account_id,
        version=event.version,
        at=event.at,
        conversation_id=event.conversation_id,
        end_user_id=event.end_user_id,
        bot_id=event.bot_id,
        reason=event.reason,
        widget=event.widget,
        occurred_at=event.occurred_at,
    )


def _alert(
    type_: Literal["threshold_reached", "sessions_exhausted"],
    event: ev.ThresholdReached | ev.SessionsExhausted,
    percent: int,
    account: Account,
) -> Alert:
    terms, cycle = account.terms, account.cycle
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
        contacts=terms.contacts,
        plan=terms.plan,
        packs=account.allowance.packs,
        time_zone=terms.time_zone,
        cycle_starts_at=cycle.starts_at,
        cycle_elapsed_percent=_elapsed_percent(cycle, event.at),
        auto_recharge=AutoRecharge(terms.recharge_below, terms.recharge_packs) if terms.recharge_packs else None,
    )


def _elapsed_percent(cycle: Cycle, at: int) -> float:
    """Returns how much of the cycle's time is over. `at` may lie slightly outside it: brokers' clocks may differ."""
    elapsed_ms, length_ms = at - cycle.starts_at, cycle.ends_at - cycle.starts_at
    return min(max(elapsed_ms * 1000 // length_ms, 0), 1000) / 10


# --- Balances --------------------------------------------------------------------------------------------------------


# Almost every transaction writes a balance, and frozen classes take three times as long to create.
@dataclass(slots=True)
class BalanceCycle:
    """The billing cycle of a balance, `[starts_at, ends_at)`."""

    number: int
    billing_cycle: BillingCycle
    starts_at: int
    ends_at: int


@dataclass(slots=True)
class Balance:
    """The balance of an account at `version`. `used_percent` is rounded down to one decimal; 0.0 for a total of 0."""

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
    """Returns the account's balance; `at` is the time (UTC ms) of its last event."""
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


# --- Results of commands ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """For the issuer of a command: it was accepted; `version` is the account's version after it (`C2`).

    `charge` is its price, None if it cost nothing. A repeated command gets the same result and is not charged again.
    """

    command_id: str
    account_id: str
    version: int
    at: int
    charge: Money | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """For the issuer of a command: it was refused and changed nothing (`C2`)."""

    command_id: str
    account_id: str
    at: int
    reason: Refusal
    message: str


Answer = Accepted | Rejected


def answer(account_id: str, result: CommandResult) -> Answer:
    """Returns the message to the issuer of a command. Raises ValueError for a result neither accepted nor refused."""
    if result.reason is not None and result.message is not None:
        return Rejected(result.command_id, account_id, result.at, result.reason, result.message)
    if result.reason is None and result.version is not None:
        return Accepted(result.command_id, account_id, result.version, result.at, result.charge)
    raise ValueError(f"{account_id}: command {result.command_id} has no result")
