"""Live updates of open pages: one poll of the read side serves all watchers, and only the newest message counts.

Each watched account has a board with the newest message of each name. A slow watcher skips older messages; none is
queued for it. A poll is one query for all watched accounts. Polling stops when no page is open.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal

from anyio import to_thread

from botmeter.readside.queries import Queries
from botmeter.readside.results import AccountSummary, Freshness

#: `state`: the answer and its numbers, as HTML. `age`: how old they are, as HTML. The others only report a change: of
#: sessions (`usage`), of anything that packs and their forms depend on (`packs`), of anything (`history`).
Name = Literal["state", "age", "usage", "packs", "history"]

#: The time between two polls.
POLL_S: Final = 0.25
#: The shortest time between two messages about the same account. Charts cost more than the state.
STATE_S: Final = 0.5
CHARTS_S: Final = 5.0
AGE_S: Final = 2.0

Render = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Message:
    """One event of a stream; `number` grows with every message of the board."""

    name: Name
    data: str
    number: int


@dataclass(slots=True)
class _Board:
    """The messages of one account, and the state they were made from."""

    watchers: int = 0
    newest: dict[Name, Message] = field(default_factory=dict)
    published_s: dict[Name, float] = field(default_factory=dict)
    number: int = 0
    summary: AccountSummary | None = None
    rendered_version: int = -1
    charted_sessions: tuple[int, int] = (-1, -1)
    is_behind: bool = False
    has_new_history: bool = False
    delivered_at: int | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, name: Name, data: str, now_s: float) -> None:
        """Replaces the previous message of the same name and wakes the watchers."""
        self.number += 1
        self.newest[name] = Message(name, data, self.number)
        self.published_s[name] = now_s
        self.changed.set()
        self.changed = asyncio.Event()

    def note_deliveries(self, at: int) -> None:
        """Deliveries show in the timeline; those that the first poll finds are not new."""
        self.has_new_history |= self.delivered_at is not None and at != self.delivered_at
        self.delivered_at = at

    def is_due(self, name: Name, every_s: float, now_s: float) -> bool:
        """Whether a message of this name may be published again."""
        return now_s - self.published_s.get(name, -every_s) >= every_s


class Live:
    """Polls the read side for all open pages. Belongs to one event loop."""

    def __init__(self, queries: Queries, render_state: Render, render_age: Render) -> None:
        """`render_state` and `render_age` render parts of an account's page; they may block and run in a thread."""
        self._queries, self._render_state, self._render_age = queries, render_state, render_age
        self._boards: dict[str, _Board] = {}
        self._polling: asyncio.Task[None] | None = None

    @property
    def watched(self) -> int:
        """The number of current watchers."""
        return sum(board.watchers for board in self._boards.values())

    async def watch(self, account_id: str) -> AsyncIterator[Message]:
        """Yields messages of an account, the newest of each name."""
        board = self._boards.setdefault(account_id, _Board())
        board.watchers += 1
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll())
        seen = 0
        try:
            while True:
                changed = board.changed
                for message in sorted(board.newest.values(), key=lambda one: one.number):
                    if message.number > seen:
                        seen = message.number
                        yield message
                if board.changed is changed:
                    await changed.wait()
        finally:
            board.watchers -= 1
            if not board.watchers:
                self._boards.pop(account_id, None)

    async def close(self) -> None:
        """Stops polling."""
        if self._polling is not None:
            self._polling.cancel()
            with suppress(asyncio.CancelledError):
                await self._polling

    async def _poll(self) -> None:
        while self._boards:
            await self._poll_once()
            await asyncio.sleep(POLL_S)

    async def _poll_once(self) -> None:
        watched = sorted(self._boards)
        summaries, delivered, freshness = await to_thread.run_sync(self._query, watched)
        for account_id in watched:
            board, summary = self._boards.get(account_id), summaries.get(account_id)
            if board is not None and summary is not None:
                board.note_deliveries(delivered.get(account_id, 0))
                await self._publish_changes(account_id, board, summary, freshness.get(summary.place.partition))

    def _query(self, watched: list[str]) -> tuple[dict[str, AccountSummary], Mapping[str, int], dict[int, Freshness]]:
        summaries = self._queries.summaries(watched)
        progress = self._queries.progress(time.time_ns() // 1_000_000)
        journal = progress[0].topic if progress else ""
        return (
            {one.account_id: one for one in summaries},
            self._queries.latest_deliveries(watched),
            {one.partition: one for one in progress if one.topic == journal},
        )

    async def _publish_changes(
        self, account_id: str, board: _Board, summary: AccountSummary, freshness: Freshness | None
    ) -> None:
        """Publishes what has changed since the last messages."""
        now_s, before = time.monotonic(), board.summary
        is_behind = freshness is None or freshness.lag_ms is None or freshness.lag_ms > 5_000
        if before is None:
            board.rendered_version = summary.place.version
            board.charted_sessions = (summary.cycle_number, summary.used)
        elif _has_other_changes(before, summary):
            board.has_new_history = True
            if not _is_handing_off(before, summary):
                board.publish("packs", "", now_s)
        board.summary = summary
        has_new_packs = board.published_s.get("packs") == now_s
        if board.has_new_history and (has_new_packs or board.is_due("history", CHARTS_S, now_s)):
            board.has_new_history = False
            board.publish("history", "", now_s)
        if summary.place.version != board.rendered_version and board.is_due("state", STATE_S, now_s):
            board.rendered_version = summary.place.version
            board.publish("state", await to_thread.run_sync(self._render_state, account_id), now_s)
        if (summary.cycle_number, summary.used) != board.charted_sessions and board.is_due("usage", CHARTS_S, now_s):
            board.charted_sessions = (summary.cycle_number, summary.used)
            board.publish("usage", "", now_s)
        if board.is_due("age", AGE_S, now_s) or is_behind != board.is_behind:
            board.is_behind = is_behind
            board.publish("age", await to_thread.run_sync(self._render_age, account_id), now_s)


def _is_handing_off(before: AccountSummary, after: AccountSummary) -> bool:
    """Whether the change may be only chats that went to agents: there can be many a second.

    If each of them replaced the forms, users could not click them, just when packs are needed.
    """
    return before.state == after.state == "exhausted" and _terms(before) == _terms(after)


def _terms(account: AccountSummary) -> tuple[object, ...]:
    return (
        account.since,
        account.plan,
        account.total,
        account.packs,
        account.packs_next_cycle,
        account.cycle_number,
        account.cycle_ends_at,
    )


def _has_other_changes(before: AccountSummary, after: AccountSummary) -> bool:
    """Whether anything but new sessions happened: each event increases the version by one."""
    sessions = after.used - before.used if after.cycle_number == before.cycle_number else -1
    return after.place.version - before.place.version != sessions
