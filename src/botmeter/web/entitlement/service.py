"""Entitlement as the routes use it: the view, its feed and the waiters together."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

from botmeter.contracts.topics import partition_of
from botmeter.settings.model import Settings
from botmeter.web.entitlement.answer import Answer, Question, answer
from botmeter.web.entitlement.feed import Feed
from botmeter.web.entitlement.view import HandedOff, Opened, PartitionView
from botmeter.web.entitlement.waiters import Waiters


class NotReady(Exception):  # noqa: N818 - named by what is wrong
    """The journal is still being read; no question can be answered yet."""


@dataclass(frozen=True, slots=True)
class AsOf:
    """How fresh an answer is: it includes the whole journal below `offset`, and was complete at `at` (UTC ms)."""

    topic: str
    partition: int
    offset: int
    at: int


class Entitlement:
    """Answers from memory. Created and used in the event loop."""

    def __init__(self, settings: Settings) -> None:
        """Starts reading the journal at once."""
        self._rules, self._topics = settings.rules(), settings.topics()
        connection = (settings.kafka, settings.bootstrap_servers, settings.group, self._topics)
        self._feed = Feed(*connection, on_progress=self._on_progress)
        self._waiters = Waiters(*connection, views=lambda: self._feed.views)
        self._feed.start()

    @property
    def is_ready(self) -> bool:
        """Whether the journal has been read to its end."""
        return bool(self._feed.views)

    @property
    def inputs(self) -> frozenset[str]:
        """The topics whose records can be waited for."""
        return frozenset({self._topics.interactions.name, self._topics.commands.name})

    def partition_of(self, account_id: str) -> int:
        """Returns the partition of the account's records. Raises NotReady."""
        return self._view(account_id).partition

    def answer(self, question: Question) -> tuple[Answer | None, AsOf]:
        """Says who would answer an interaction now; None for an unknown account. Raises NotReady."""
        view = self._view(question.account_id)
        if question.end_user_id is not None and self._rules.pseudonyms is not None:
            pseudonym = self._rules.pseudonyms.of(question.account_id, question.end_user_id)
            question = replace(question, end_user_id=pseudonym)
        as_of = AsOf(self._topics.journal.name, view.partition, view.position, view.complete_at)
        return answer(view, question, int(time.time() * 1000), self._rules), as_of

    async def wait(self, topic: str, partition: int, offset: int, timeout_s: float) -> bool:
        """Waits until an input record is decided and the view includes the decision. Returns False on timeout."""
        return await self._waiters.wait(topic, partition, offset, timeout_s)

    def outcome(self, partition: int, topic: str, offset: int) -> Opened | HandedOff | None:
        """Returns the outcome of a recently decided interaction; None if it left no event in the journal."""
        views = self._feed.views
        return views[partition].outcomes.get((topic, offset)) if partition < len(views) else None

    async def close(self) -> None:
        """Stops the threads."""
        await asyncio.to_thread(self._feed.stop)
        await asyncio.to_thread(self._waiters.close)

    def _on_progress(self) -> None:
        self._waiters.on_progress()

    def _view(self, account_id: str) -> PartitionView:
        views = self._feed.views
        if not views:
            raise NotReady("the journal is still being read")
        return views[partition_of(account_id.encode(), len(views))]
