"""The question "may the bot answer this end-user now?", put to the domain's own decision. Pure."""

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
#: An end-user nobody knows: without a name the question is whether a new session could be opened.
_SOMEBODY_NEW: Final = ""
#: What an interaction itself brings about, after the cycles that were due.
_OF_THE_INTERACTION: Final = (ev.PacksPurchased, ev.ComplimentaryForfeited, ev.SessionStarted, ev.ChatHandedOff)
_CAUSE: Final = ev.InteractionCause("", 0, 0, "")


@dataclass(frozen=True, slots=True)
class OpenSession:
    """The session that covers the end-user now, `[started_at, ends_at)` in UTC ms."""

    session_id: str
    started_at: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Who answers, and why; `remaining` is what the account can still charge."""

    answer: Answerer
    reason: Reason
    session: OpenSession | None
    remaining: int


@dataclass(frozen=True, slots=True)
class Question:
    """Whose interaction it is about; without `end_user_id`, that of somebody without a session."""

    account_id: str
    end_user_id: str | None = None
    preview: bool = False
    widget: Widget = "conversations"


def answer(view: PartitionView, question: Question, now: int, rules: Rules) -> Answer | None:
    """What an interaction of this moment (UTC ms) would meet; None when the account is not known."""
    account = view.accounts.get(question.account_id)
    if account is None:
        return None
    end_user_id = question.end_user_id or _SOMEBODY_NEW
    starts = view.starts(question.account_id, end_user_id, question.preview) if question.end_user_id else ()
    interaction = Interaction(end_user_id, "bot", "", question.widget, "end_user", question.preview, now)
    events, outcome = decide_interaction(account, interaction, Memory(starts), now, _CAUSE, rules)
    match outcome:
        case "covered":
            [started_at] = starts
            id_ = session_id(question.account_id, end_user_id, question.preview, started_at)
            session = OpenSession(id_, started_at, started_at + DAY_MS)
            return Answer("bot", "session_open", session, _before(account, events).allowance.remaining)
        case "started":
            has_bought = any(isinstance(event, ev.PacksPurchased) for event in events)
            reason: Reason = "auto_recharge" if has_bought else "sessions_available"
            return Answer("bot", reason, None, _before(account, events).allowance.remaining)
        case "account_closed":
            return Answer("agents", "account_closed", None, 0)
    return Answer("agents", _before(account, events).exhaustion_reason, None, 0)


def _before(account: Account, events: list[ev.Event]) -> Account:
    """The account just before the interaction: cycles that are due have rolled, nothing was bought or charged."""
    rolled = takewhile(lambda event: not isinstance(event, _OF_THE_INTERACTION), events)
    return fold(account, rolled) or account
