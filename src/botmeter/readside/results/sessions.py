"""Charged sessions."""

from __future__ import annotations

from dataclasses import dataclass

from botmeter.domain.events import Pool
from botmeter.domain.sessions import Widget
from botmeter.readside.results.origin import Cause, JournalPlace


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions; a field that is None excludes none. `since` and `until` bound `started_at`, `until` excluded."""

    since: int | None = None
    until: int | None = None
    end_user_id: str | None = None
    bot_id: str | None = None
    widget: Widget | None = None
    preview: bool | None = None
    cycle_number: int | None = None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A charged session. `used` and `total` are those of its cycle after it; `charged_at` is broker time."""

    session_id: str
    account_id: str
    end_user_id: str
    preview: bool
    started_at: int
    ends_at: int
    charged_at: int
    cycle_number: int
    pool: Pool
    used: int
    total: int
    bot_id: str
    conversation_id: str
    widget: Widget
    place: JournalPlace
    cause: Cause


@dataclass(frozen=True, slots=True)
class SessionPage:
    """One page of sessions, newest first; `next_cursor` leads to the next page, None: this is the last."""

    sessions: tuple[SessionRow, ...]
    next_cursor: str | None
