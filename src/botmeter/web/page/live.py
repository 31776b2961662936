"""What is told to open pages as it changes: one look at the read side serves all who watch, and only the newest counts.

Each watched account has a board of messages, one of each name. A watcher that is slow finds the newest when it comes
back; nothing is kept for it. The look is one query for all watched accounts, and stops when nobody watches.
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

#: `state`: the answer and its numbers, as HTML. `age`: how old they are, as HTML. The others only say that something
#: changed: sessions (`usage`), what packs and their forms depend on (`packs`), anything (`history`).
Name = Literal["state", "age", "usage", "packs", "history"]

#: Between two looks.
LOOK_S: Final = 0.25
#: A busy account is drawn anew no more often than this; its charts, which cost more, than that.
STATE_S: Final = 0.5
CHARTS_S: Final = 5.0
AGE_S: Final = 2.0

Draw = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Message:
    """One event of a stream; `number` grows with every message of the board."""

    name: Name
    data: str
    number: int


@dataclass(slots=True)
class _Board:
    """What there is to tell of one account."""

    watchers: int = 0
    newest: dict[Name, Message] = field(default_factory=dict)
    told: dict[Name, float] = field(default_factory=dict)
    number: int = 0
    summary: AccountSummary | None = None
    drawn_version: int = -1
    charted_sessions: tuple[int, int] = (-1, -1)
    is_behind: bool = False
    owes_history: bool = False
    delivered_at: int | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, name: Name, data: str, now_s: float) -> None:
        """Puts up a message in place of the one before it of the same name."""
        self.number += 1
        self.newest[name] = Message(name, data, self.number)
        self.told[name] = now_s
        self.changed.set()
        self.changed = asyncio.Event()

    def hear_of_deliveries(self, at: int) -> None:
        """What became of messages is told in the timeline; that the first look finds some is no news."""
        self.owes_history |= self.delivered_at is not None and at != self.delivered_at
        self.delivered_at = at

    def is_due(self, name: Name, every_s: float, now_s: float) -> bool:
        """Whether a message of this name may be told again."""
        return now_s - self.told.get(name, -every_s) >= every_s


class Live:
    """Watches on behalf of all open pages. Lives on one event loop."""

    def __init__(self, queries: Queries, draw_state: Draw, draw_age: Draw) -> None:
        """`draw_state` and `draw_age` write an account's parts; they may block, and are called in a thread."""
        self._queries, self._draw_state, self._draw_age = queries, draw_state, draw_age
        self._boards: dict[str, _Board] = {}
        self._looking: asyncio.Task[None] | None = None

    @property
    def watched(self) -> int:
        """How many watch now."""
        return sum(board.watchers for board in self._boards.values())

    async def watch(self, account_id: str) -> AsyncIterator[Message]:
        """Messages of an account from now on, the newest of each name."""
        board = self._boards.setdefault(account_id, _Board())
        board.watchers += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on())
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
        """Stops looking."""
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking

    async def _look_on(self) -> None:
        while self._boards:
            await self._look()
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        wanted = sorted(self._boards)
        summaries, delivered, freshness = await to_thread.run_sync(self._ask, wanted)
        for account_id in wanted:
            board, summary = self._boards.get(account_id), summaries.get(account_id)
            if board is not None and summary is not None:
                board.hear_of_deliveries(delivered.get(account_id, 0))
                await self._compare(account_id, board, summary, freshness.get(summary.place.partition))

    def _ask(self, wanted: list[str]) -> tuple[dict[str, AccountSummary], Mapping[str, int], dict[int, Freshness]]:
        summaries = self._queries.summaries(wanted)
        progress = self._queries.progress(time.time_ns() // 1_000_000)
        journal = progress[0].topic if progress else ""
        return (
            {one.account_id: one for one in summaries},
            self._queries.latest_deliveries(wanted),
            {one.partition: one for one in progress if one.topic == journal},
        )

    async def _compare(
        self, account_id: str, board: _Board, summary: AccountSummary, freshness: Freshness | None
    ) -> None:
        """Tells what differs from what was told last."""
        now_s, before = time.monotonic(), board.summary
        is_behind = freshness is None or freshness.lag_ms is None or freshness.lag_ms > 5_000
        if before is None:
            board.drawn_version = summary.place.version
            board.charted_sessions = (summary.cycle_number, summary.used)
        elif _has_other_news(before, summary):
            board.owes_history = True
            if not _is_handing_off(before, summary):
                board.tell("packs", "", now_s)
        board.summary = summary
        if board.owes_history and (board.told.get("packs") == now_s or board.is_due("history", CHARTS_S, now_s)):
            board.owes_history = False
            board.tell("history", "", now_s)
        if summary.place.version != board.drawn_version and board.is_due("state", STATE_S, now_s):
            board.drawn_version = summary.place.version
            board.tell("state", await to_thread.run_sync(self._draw_state, account_id), now_s)
        if (summary.cycle_number, summary.used) != board.charted_sessions and board.is_due("usage", CHARTS_S, now_s):
            board.charted_sessions = (summary.cycle_number, summary.used)
            board.tell("usage", "", now_s)
        if board.is_due("age", AGE_S, now_s) or is_behind != board.is_behind:
            board.is_behind = is_behind
            board.tell("age", await to_thread.run_sync(self._draw_age, account_id), now_s)


def _is_handing_off(before: AccountSummary, after: AccountSummary) -> bool:
    """Whether the news may be chats that go to agents, many a second, by which nothing else changes.

    Forms replaced by each of them could not be clicked, just when packs are wanted.
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


def _has_other_news(before: AccountSummary, after: AccountSummary) -> bool:
    """Whether anything but sessions happened: versions grow by one an event."""
    sessions = after.used - before.used if after.cycle_number == before.cycle_number else -1
    return after.place.version - before.place.version != sessions
