"""What the world is told of an event: alerts and handoffs, each following from one event of the journal (`J3`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from botmeter.domain import events as ev
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
