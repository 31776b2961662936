"""What the read side should hold, counted from the journal in the plainest way: loops, no SQL, nothing kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from botmeter.domain import events as ev
from botmeter.domain.account import Account, evolve
from botmeter.domain.events import Event

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Counted:
    """The sums of one cycle of one account."""

    sessions: int = 0
    late: int = 0
    previews: int = 0
    granted: int = 0
    purchased: int = 0
    credited: int = 0
    forfeited: int = 0
    expired: int = 0
    handoffs: int = 0
    amount_minor: int = 0
    remaining: int = 0


@dataclass
class Told:
    """Everything of one account."""

    account: Account
    cycles: dict[int, Counted] = field(default_factory=dict)
    sessions: list[ev.SessionStarted] = field(default_factory=list)
    handoffs: list[ev.ChatHandedOff] = field(default_factory=list)
    others: list[Event] = field(default_factory=list)
    hours: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    days: Counter[tuple[Any, ...]] = field(default_factory=Counter)


def fold(events: Sequence[Event]) -> dict[str, Told]:
    """Every account of a journal."""
    told: dict[str, Told] = {}
    for event in events:
        known = told.get(event.account_id)
        before = known.account if known else None
        after = evolve(before, event)
        if known is None:
            known = told[event.account_id] = Told(after)
        known.account = after
        _count(known, before, event)
    for each in told.values():
        each.cycles[each.account.cycle.number].remaining = each.account.allowance.remaining
    return told


def _count(told: Told, before: Account | None, event: Event) -> None:
    number = told.account.cycle.number
    cycle = told.cycles.setdefault(number, Counted())
    match event:
        case ev.SessionStarted():
            _count_session(told, event)
            return
        case ev.ChatHandedOff():
            told.handoffs.append(event)
            cycle.handoffs += 1
            return
        case ev.ComplimentaryGranted():
            cycle.granted += event.sessions
        case ev.ComplimentaryForfeited():
            cycle.forfeited += event.sessions
        case ev.PacksPurchased():
            cycle.purchased += event.sessions
            cycle.amount_minor += event.charge.amount_minor
        case ev.SessionsCredited():
            cycle.credited += event.sessions
        case ev.CycleStarted():
            assert before is not None
            ended = told.cycles[before.cycle.number]
            ended.expired = event.expired
            # A complimentary pool passes the boundary (A2).
            ended.remaining = event.total - event.used if event.pool == "complimentary" else 0
            cycle.amount_minor += event.charge.amount_minor if event.charge else 0
    told.others.append(event)


def _count_session(told: Told, event: ev.SessionStarted) -> None:
    cycle = told.cycles[event.cycle_number]
    told.sessions.append(event)
    cycle.sessions += 1
    cycle.late += event.cycle_number != told.account.cycle.number
    cycle.previews += event.preview
    moment = (EPOCH + timedelta(milliseconds=event.started_at)).astimezone(ZoneInfo(told.account.terms.time_zone))
    key = (event.widget, event.bot_id, event.preview)
    told.hours[moment.strftime("%Y-%m-%dT%H%z"), *key] += 1
    told.days[moment.strftime("%Y-%m-%d"), *key] += 1
