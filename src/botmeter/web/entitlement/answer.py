"""Answers "may the bot answer this end-user now?" with the domain's own decision. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import Final, Literal

from botmeter.domain import events as ev
from botmeter.domain.account import Account, fold
from botmeter.domain.metering import Memory, decide_interaction
from botmeter.domain.prices import DAY_MS, Rules
from botmeter.domain.sessions import Interaction, Widget, session_id
from botmeter.web.entitlement.view import PartitionView

Answerer = Literal["bot", "agents"]
Reason = Literal[
    "session_open",  # the end-user's session is paid for and runs (S1, S9)
    "sessions_available",  # a new session would be opened and charged
    "auto_recharge",  # packs would be bought for it first (A11)
    "sessions_exhausted",
    "no_sessions",
    "account_closed",
]
#: Stands for an end-user without a session: then the question is whether a new session could be opened.
_NEW_END_USER: Final = ""
#: Events caused by the interaction itself; the events of due cycles come before them.
_INTERACTION_EVENTS: Final = (ev.PacksPurchased, ev.ComplimentaryForfeited, ev.SessionStarted, ev.ChatHandedOff)
_CAUSE: Final = ev.InteractionCause("", 0, 0, "")


@dataclass(frozen=True, slots=True)
class OpenSession:
    """The session that covers the end-user now, `[started_at, ends_at)` in UTC ms."""

    session_id: str
    started_at: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Who answers, and why; `remaining` is how many sessions the account can still charge."""

    answer: Answerer
    reason: Reason
    session: OpenSession | None
    remaining: int


@dataclass(frozen=True, slots=True)
class Question:
    """The end-user it is about; without `end_user_id`, one who has no session."""

    account_id: str
    end_user_id: str | None = None
    preview: bool = False
    widget: Widget = "conversations"


def answer(view: PartitionView, question: Question, now: int, rules: Rules) -> Answer | None:
    """Returns what the worker would decide on an interaction at `now` (UTC ms); None for an unknown account."""
    account = view.accounts.get(question.account_id)
    if account is None:
        return None
    end_user_id = question.end_user_id or _NEW_END_USER
    starts = view.starts(question.account_id, end_user_id, question.preview) if question.end_user_id else ()
    interaction = Interaction(end_user_id, "bot", "", question.widget, "end_user", question.preview, now)
    events, outcome = decide_interaction(account, interaction, Memory(starts), now, _CAUSE, rules)
    match outcome:
        case "covered":
            [started_at] = starts
            id_ = session_id(question.account_id, end_user_id, question.preview, started_at)
            session = OpenSession(id_, started_at, started_at + DAY_MS)
            return Answer("bot", "session_open", session, _before_interaction(account, events).allowance.remaining)
        case "started":
            has_bought = any(isinstance(event, ev.PacksPurchased) for event in events)
            reason: Reason = "auto_recharge" if has_bought else "sessions_available"
            return Answer("bot", reason, None, _before_interaction(account, events).allowance.remaining)
        case "account_closed":
            return Answer("agents", "account_closed", None, 0)
    return Answer("agents", _before_interaction(account, events).exhaustion_reason, None, 0)


def _before_interaction(account: Account, events: list[ev.Event]) -> Account:
    """Returns the account just before the interaction: due cycles have started, nothing was bought or charged."""
    cycle_events = takewhile(lambda event: not isinstance(event, _INTERACTION_EVENTS), events)
    return fold(account, cycle_events) or account
