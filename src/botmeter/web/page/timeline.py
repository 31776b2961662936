"""The events of an account as lines of its timeline: when, what in plain words, who did it, what was delivered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from botmeter.readside.results import Delivery, TimelineEntry
from botmeter.web.page.answer import Tone
from botmeter.web.page.moments import Clock
from botmeter.web.page.numbers import FIXED, count, money, some

PLANS: Final = {"free": "Free", "growth": "Growth", "pro": "Pro", "enterprise": "Enterprise"}
CYCLES: Final = {"monthly": "month", "quarterly": "quarter", "half_yearly": "half-year", "annual": "year"}
#: Events that another part of the page shows.
HIDDEN: Final = frozenset({"session_started", "chat_handed_off"})
_RESUMED: Final = {
    "packs_purchased": "packs were bought",
    "cycle_started": "a new cycle began",
    "sessions_credited": "sessions were credited",
    "plan_changed": "the plan was changed",
}
_STATES: Final = {
    "sent": "delivered",
    "maybe_twice": "delivered, maybe twice",
    "retrying": "being sent",
}
_CHANNELS: Final = {"email": "mail", "webhook": "webhook"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `by` is shown below it and may be empty; `place` is its journal record."""

    at: int
    tone: Tone
    what: str
    by: str
    place: str


def lines(entries: Iterable[TimelineEntry], clock: Clock, *, is_with_money: bool) -> list[Line]:
    """Returns the lines of all entries that are shown, in the same order."""
    return [
        Line(
            entry.at,
            _tone(entry),
            _what(entry, clock),
            _by(entry, is_with_money=is_with_money),
            f"journal {entry.place.partition}/{entry.place.offset:,}",
        )
        for entry in entries
        if entry.type not in HIDDEN and not _is_acceptance(entry)
    ]


def _is_acceptance(entry: TimelineEntry) -> bool:
    """The events of an accepted command show what it did, so its acceptance gets no line."""
    return entry.type == "command_handled" and entry.detail.get("result") == "accepted"


def _tone(entry: TimelineEntry) -> Tone:
    if entry.type in {"threshold_reached", "pack_reduction_scheduled", "complimentary_forfeited"}:
        return "near"
    if entry.type in {"sessions_exhausted", "account_closed", "command_handled"}:
        return "out"
    if entry.type in {
        "packs_purchased",
        "sessions_available",
        "cycle_started",
        "sessions_credited",
        "complimentary_granted",
    }:
        return "ok"
    return "none"


def _what(entry: TimelineEntry, clock: Clock) -> str:
    detail: Mapping[str, Any] = entry.detail
    match entry.type:
        case "account_opened":
            return f"Account opened on the {PLANS[detail['plan']]} plan"
        case "plan_changed":
            return f"Moved to the {PLANS[detail['plan']]} plan"
        case "complimentary_granted":
            return f"{some(detail['sessions'], 'complimentary session')} granted"
        case "complimentary_forfeited":
            return f"Complimentary sessions ended with {count(detail['sessions'])} left"
        case "packs_purchased":
            bought = "Auto-recharge bought" if detail.get("trigger") == "auto_recharge" else "Bought"
            return f"{bought} {some(detail['packs'], 'pack')}, {some(detail['sessions'], 'session')}"
        case "pack_reduction_scheduled":
            return f"{some(detail['packs_next_cycle'], 'pack')} from the next cycle, {count(detail['packs'])} fewer"
        case "pack_reduction_cancelled":
            return f"Reduction undone: {some(detail['packs_next_cycle'], 'pack')} renew"
        case "cycle_started":
            packs = f", {some(detail['packs'], 'pack')} renewed" if detail["packs"] else ", without packs"
            return f"Cycle {detail['number']} began{packs}"
        case "billing_cycle_change_scheduled":
            return (
                f"Billed every {CYCLES[detail['billing_cycle']]} from {clock.day(entry_moment(detail['effective_at']))}"
            )
        case "sessions_credited":
            return f"{some(detail['sessions'], 'session')} credited: {detail['reason']}"
        case _:
            return _what_was_set_or_reached(entry)


def _what_was_set_or_reached(entry: TimelineEntry) -> str:
    detail: Mapping[str, Any] = entry.detail
    match entry.type:
        case "thresholds_set":
            percents = ", ".join(f"{percent}{FIXED}%" for percent in detail["percents"])
            return f"Alerts set to {percents}" if percents else "Alerts switched off, but for the last session"
        case "auto_recharge_set" if detail["packs"]:
            return f"Auto-recharge buys {some(detail['packs'], 'pack')} below {some(detail['below'], 'session')}"
        case "auto_recharge_set":
            return "Auto-recharge switched off"
        case "contacts_set":
            return f"Alerts go to {some(len(detail['contacts']), 'person', 'people')}"
        case "threshold_reached":
            return f"{detail['percent']}{FIXED}% used: {count(detail['used'])} of {count(detail['total'])}"
        case "sessions_exhausted" if detail.get("total"):
            return "All sessions used: agents answer"
        case "sessions_exhausted":
            return "No sessions: agents answer"
        case "sessions_available":
            return f"The bot answers again: {_RESUMED.get(str(detail['reason']), 'there are sessions')}"
        case "account_closed":
            return "Account closed"
        case "command_handled":
            return f"Refused: {str(detail['command']).replace('_', ' ') or 'a command'}"
        case _:
            return entry.type.replace("_", " ").capitalize()


def entry_moment(value: object) -> int:
    """Returns a time from an event's own fields, RFC 3339 or UTC ms, as UTC ms."""
    return int(value) if isinstance(value, int) else int(datetime.fromisoformat(str(value)).timestamp() * 1000)


def _by(entry: TimelineEntry, *, is_with_money: bool) -> str:
    parts = []
    if entry.issued_by:
        parts.append(f"by {entry.issued_by}")
    if entry.charge is not None and entry.charge.amount_minor and is_with_money:
        parts.append(money(entry.charge))
    if entry.type == "cycle_started" and entry.detail.get("expired"):
        parts.append(f"{some(entry.detail['expired'], 'unused session')} expired")
    if entry.type == "command_handled" and entry.detail.get("message"):
        parts.append(str(entry.detail["message"]))
    return " · ".join([*parts, *_delivered(entry.deliveries)])


def _delivered(deliveries: Iterable[Delivery]) -> list[str]:
    """Returns `mail to 3, delivered` by channel and state; each failed delivery with its recipient and reason."""
    known = list(deliveries)
    counted = Counter((delivery.channel, delivery.state) for delivery in known if delivery.state != "failed")
    summaries = [
        f"{_CHANNELS.get(channel, channel)} to {count(number)}, {_STATES[state]}"
        for (channel, state), number in sorted(counted.items())
    ]
    return summaries + [_failed(delivery) for delivery in known if delivery.state == "failed"]


def _failed(delivery: Delivery) -> str:
    why = f": {delivery.reason}" if delivery.reason else ""
    return f"{_CHANNELS.get(delivery.channel, delivery.channel)} to {delivery.recipient} failed{why}"
