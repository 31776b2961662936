"""Waiting until an interaction or command is decided, and its decision is in the view.

Most decisions show in the journal, where a later cause tells that all before it was decided. An interaction that joined
a session or was refused leaves no trace there, so the offsets that the workers' group has committed are asked for too,
but only while somebody waits. Once an offset is committed, all that its transaction wrote to the journal lies below the
journal's high watermark; the view is waited for up to there.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import KafkaException, TopicPartition

from botmeter.contracts.topics import Topics
from botmeter.errors import BotmeterError, Retriable
from botmeter.kafka import clients, questions
from botmeter.kafka.errors import cause, classify
from botmeter.web.entitlement.view import PartitionView

log = logging.getLogger(__name__)

_ANSWER_S: Final = 5.0
#: Between two questions while somebody waits; how often it is asked whether the view is level with the journal.
_PAUSE_S: Final = 0.003
_LEVEL_S: Final = 0.5


@dataclass(slots=True, eq=False)
class _Waiter:
    topic: str
    partition: int
    offset: int
    decided: asyncio.Future[None]
    #: The journal offset up to which the view has to have read; None until the input's offset is committed.
    target: int | None = field(default=None)


class Decided:
    """Lets requests wait. Made, asked and closed in the event loop; a thread of its own asks the cluster."""

    def __init__(
        self,
        kafka: Mapping[str, str],
        bootstrap_servers: str,
        group: str,
        topics: Topics,
        views: Callable[[], Sequence[PartitionView]],
    ) -> None:
        self._views, self._journal = views, topics.journal.name
        self._loop = asyncio.get_running_loop()
        self._waiting: set[_Waiter] = set()
        self._wanted, self._stop_asked = threading.Event(), threading.Event()
        asking = clients.asking_config(clients.reader_config(kafka, bootstrap_servers, group))
        self._closing = ExitStack()
        self._asker = self._closing.enter_context(clients.make_consumer(asking))
        self._admin = self._closing.enter_context(clients.make_admin(clients.admin_config(kafka, bootstrap_servers)))
        #: By partition: where the journal ended, and when that was asked (UTC ms).
        self._ends: dict[int, tuple[int, int]] = {}
        self._asking = threading.Thread(target=self._ask, name="botmeter-decided", daemon=True)
        self._asking.start()

    async def wait(self, topic: str, partition: int, offset: int, timeout_s: float) -> bool:
        """Waits until the record is decided and the view shows it; whether that came about in time."""
        waiter = _Waiter(topic, partition, offset, self._loop.create_future())
        if self._is_decided(waiter):
            return True
        self._waiting.add(waiter)
        self._wanted.set()
        try:
            async with asyncio.timeout(timeout_s):
                await waiter.decided
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._waiting.discard(waiter)

    def advanced(self) -> None:
        """The view has taken more in; called by the feed's thread."""
        if self._waiting:
            self._loop.call_soon_threadsafe(self._look)

    def close(self) -> None:
        """Ends the thread and lets the clients go."""
        self._stop_asked.set()
        self._wanted.set()
        self._asking.join()
        self._closing.close()

    # --- In the event loop ---

    def _look(self) -> None:
        for waiter in self._waiting:
            if not waiter.decided.done() and self._is_decided(waiter):
                waiter.decided.set_result(None)

    def _is_decided(self, waiter: _Waiter) -> bool:
        views = self._views()
        if waiter.partition >= len(views):
            return False
        view = views[waiter.partition]
        if view.taken.get(waiter.topic, 0) > waiter.offset:
            return True
        return waiter.target is not None and view.position >= waiter.target

    # --- In the thread that asks ---

    def _ask(self) -> None:
        level_s = 0.0
        while not self._stop_asked.is_set():
            try:
                if time.monotonic() >= level_s:
                    level_s = time.monotonic() + _LEVEL_S
                    self._see_whether_level()
                self._set_targets()
            except KafkaException as exception:
                self._tell(classify(cause(exception)))
            except BotmeterError as error:
                self._tell(error)
            self._wanted.clear()
            if self._waiting:
                self._stop_asked.wait(_PAUSE_S)
            else:
                self._wanted.wait(max(0.0, level_s - time.monotonic()))

    def _tell(self, error: BotmeterError) -> None:
        log.log(logging.INFO if isinstance(error, Retriable) else logging.WARNING, "entitlement waits: %s", error)
        self._stop_asked.wait(_LEVEL_S)

    def _set_targets(self) -> None:
        """Finds out which of the awaited inputs are committed, and up to where the journal is to be read for them."""
        open_ = [waiter for waiter in tuple(self._waiting) if waiter.target is None]
        if not open_:
            return
        places = {(waiter.topic, waiter.partition) for waiter in open_}
        answers = self._asker.committed([TopicPartition(*place) for place in places], timeout=_ANSWER_S)
        committed = {(answer.topic, answer.partition): answer.offset for answer in answers}
        done = [waiter for waiter in open_ if committed[waiter.topic, waiter.partition] > waiter.offset]
        if not done:
            return
        ends = questions.end_offsets(self._admin, self._journal, {waiter.partition for waiter in done})
        for waiter in done:
            waiter.target = ends[waiter.partition]
        self._loop.call_soon_threadsafe(self._look)

    def _see_whether_level(self) -> None:
        """Notes up to which moment each view is complete: when it has read all there was at that moment."""
        views = self._views()
        for view in views:
            end, asked_at = self._ends.get(view.partition, (0, 0))
            if asked_at and view.position >= end:
                view.level_at = asked_at
        asked_at = int(time.time() * 1000)
        ends = questions.end_offsets(self._admin, self._journal, [view.partition for view in views])
        self._ends = {number: (end, asked_at) for number, end in ends.items()}
        for view in views:
            if view.position >= ends[view.partition]:
                view.level_at = asked_at
