"""The list of accounts, and the explanation of a charged session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from botmeter.readside.results import AccountLine, AccountPage, AccountState, Explanation
from botmeter.web.page.answer import TONES
from botmeter.web.page.charts.allowance_bar import small_bar
from botmeter.web.page.moments import Clock
from botmeter.web.page.numbers import count, some
from botmeter.web.page.rendering import WIDGETS
from botmeter.web.page.timeline import lines

STATES: Final[dict[AccountState, str]] = {
    "exhausted": "agents answer",
    "near_end": "near the end",
    "active": "bot answers",
    "closed": "closed",
}
_CHIPS: Final[dict[AccountState, str]] = {"exhausted": "red", "near_end": "amber", "active": "ok", "closed": ""}


def accounts_part(
    page: AccountPage, counts: Mapping[AccountState, int], query: Mapping[str, str], now: int
) -> dict[str, Any]:
    """Returns the rows of the list, each in its account's time zone, and the number of accounts in each state."""
    return {
        "rows": [_account_row(account, Clock(account.time_zone, now)) for account in page.accounts],
        "tiles": [_tile(state, counts[state], query) for state in STATES],
        "says": _summary(counts),
    }


def _tile(state: AccountState, number: int, query: Mapping[str, str]) -> dict[str, Any]:
    """Returns the number of accounts in a state, and the link that turns the filter on this state on or off."""
    is_on = query["state"] == state
    return {
        "name": STATES[state],
        "number": count(number),
        "tone": TONES[state],
        "is_on": is_on,
        "query": urlencode({**query, "state": "" if is_on else state}),
    }


def _summary(counts: Mapping[AccountState, int]) -> str:
    total = sum(counts.values())
    if not total:
        return "No account has been opened."
    parts = [
        f"{count(counts['exhausted'])} out of sessions" if counts.get("exhausted") else "",
        f"{count(counts['near_end'])} near the end" if counts.get("near_end") else "",
    ]
    risky = ", ".join(part for part in parts if part)
    return f"{some(total, 'account')}: {risky}." if risky else f"{some(total, 'account')}. None is near its end."


def _account_row(account: AccountLine, clock: Clock) -> dict[str, Any]:
    return {
        "account": account,
        "state": STATES[account.state],
        "chip": _CHIPS[account.state],
        "bar": small_bar(account.used, account.total, account.state),
        "until": _until(account, clock),
        "is_dated": account.state == "exhausted" or (bool(account.runs_out_at) and account.auto_recharge is None),
        "pace": "" if account.pace_per_day is None else count(round(account.pace_per_day)),
        "ends": "" if account.state == "closed" else clock.short_day(account.cycle_ends_at - 1),
    }


def _until(account: AccountLine, clock: Clock) -> str:
    """Says when the sessions are used up, by the same forecast as on the account's page."""
    if account.state == "closed":
        return ""
    if account.state == "exhausted":
        return f"since {clock.since(account.since)}"
    if account.pace_per_day is None:
        return "too early to say"
    if account.runs_out_at is None:
        return "lasts"
    if account.auto_recharge is not None:
        return f"buys {some(account.auto_recharge.packs, 'pack')} by {clock.short_day(account.runs_out_at)}"
    return clock.short_day(account.runs_out_at)


@dataclass(frozen=True, slots=True)
class Reason:
    """One step of the explanation."""

    title: str
    text: str


def why_part(found: Explanation, clock: Clock) -> dict[str, Any]:
    """Explains why a session was charged: the interaction, why no other session covered it, where it was taken from."""
    session = found.session
    cause, place = session.cause, session.place
    return {
        "why": {
            "number": count(session.used),
            "title": f"Session {count(session.used)} of cycle {session.cycle_number}",
            "steps": list(_reasons(found, clock)),
            "records": [
                ("Interaction", f"{cause.id} · {cause.topic}/{cause.partition}/{cause.offset}"),
                (
                    "Journal",
                    f"partition {place.partition}, offset {place.offset}, version {place.version}",
                ),
                ("Session", session.session_id),
            ],
        }
    }


def _reasons(found: Explanation, clock: Clock) -> list[Reason]:
    session = found.session
    where = f"the {WIDGETS[session.widget]} widget" + (", as a preview" if session.preview else "")
    reasons = [
        Reason(
            "An end-user wrote to a bot.",
            f"{session.end_user_id} to {session.bot_id} in {where}, {clock.exact(session.started_at)}, "
            f"conversation {session.conversation_id}.",
        ),
        _why_new(found, clock),
        Reason(
            "The session lasts 24 hours.",
            f"All chats of this end-user until {clock.exact(session.ends_at)} belong to it and cost nothing more.",
        ),
        Reason(
            f"It was taken from {_source(found)}.",
            f"{count(found.used_before)} used before and {count(found.used_after)} after; "
            f"{count(found.remaining_before)} remained before and {count(found.remaining_after)} after.",
        ),
    ]
    if found.is_late:
        late = "It counts in the cycle in which it started, from sessions that would have expired."
        reasons.append(Reason("It came late.", late))
    if found.led_to:
        events = "; ".join(line.what for line in lines(found.led_to, clock, is_with_money=False))
        reasons.append(Reason("It led to more.", f"{events}."))
    return reasons


def _why_new(found: Explanation, clock: Clock) -> Reason:
    kind = "preview session" if found.session.preview else "session"
    if found.previous is None:
        return Reason("No session covered it.", f"It is this end-user's first {kind}.")
    return Reason(
        "No session covered it.", f"The end-user's {kind} before it ended {clock.exact(found.previous.ends_at)}."
    )


def _source(found: Explanation) -> str:
    if found.session.pool == "complimentary":
        return "the complimentary sessions"
    return f"pack {found.pack_number} of the cycle" if found.pack_number else "the sessions credited"
