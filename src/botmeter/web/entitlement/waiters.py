"""Requests that wait until an interaction or command is decided and the view includes the decision.

Most decisions show in the journal: an event caused by a later record proves that all earlier records are decided. An
interaction that joined a session or was refused leaves no event, so the committed offsets of the workers' group are
queried too, but only while a request waits. Once an offset is committed, all that its transaction wrote to the journal
lies below the journal's high watermark; the request waits until the view has read up to there.
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

_TIMEOUT_S: Final = 5.0
#: The time between two queries of committed offsets while a request waits.
_PAUSE_S: Final = 0.003
#: The time between two checks whether the views are complete.
_CHECK_INTERVAL_S: Final = 0.5


@dataclass(slots=True, eq=False)
class _Waiter:
    topic: str
    partition: int
    offset: int
    decided: asyncio.Future[None]
    #: The journal offset up to which the view has to have read; None until the input's offset is committed.
    target: int | None = field(default=None)


class Waiters:
    """All requests that wait. Created, used and closed in the event loop; its own thread queries the cluster."""

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
        self._wake, self._stop_requested = threading.Event(), threading.Event()
        consumer_config = clients.query_config(clients.reader_config(kafka, bootstrap_servers, group))
        self._clients = ExitStack()
        self._consumer = self._clients.enter_context(clients.make_consumer(consumer_config))
        self._admin = self._clients.enter_context(clients.make_admin(clients.admin_config(kafka, bootstrap_servers)))
        #: By partition: the end offset of the journal, and when it was queried (UTC ms).
        self._ends: dict[int, tuple[int, int]] = {}
        self._thread = threading.Thread(target=self._query_cluster, name="botmeter-decided", daemon=True)
        self._thread.start()

    async def wait(self, topic: str, partition: int, offset: int, timeout_s: float) -> bool:
        """Waits until the record is decided and the view includes the decision. Returns False on timeout."""
        waiter = _Waiter(topic, partition, offset, self._loop.create_future())
        if self._is_decided(waiter):
            return True
        self._waiting.add(waiter)
        self._wake.set()
        try:
            async with asyncio.timeout(timeout_s):
                await waiter.decided
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._waiting.discard(waiter)

    def on_progress(self) -> None:
        """Called by the feed's thread when the view has read more."""
        if self._waiting:
            self._loop.call_soon_threadsafe(self._resolve)

    def close(self) -> None:
        """Stops the thread and closes the clients."""
        self._stop_requested.set()
        self._wake.set()
        self._thread.join()
        self._clients.close()

    # --- In the event loop ---

    def _resolve(self) -> None:
        for waiter in self._waiting:
            if not waiter.decided.done() and self._is_decided(waiter):
                waiter.decided.set_result(None)

    def _is_decided(self, waiter: _Waiter) -> bool:
        views = self._views()
        if waiter.partition >= len(views):
            return False
        view = views[waiter.partition]
        if view.decided_below.get(waiter.topic, 0) > waiter.offset:
            return True
        return waiter.target is not None and view.position >= waiter.target

    # --- In the thread ---

    def _query_cluster(self) -> None:
        next_check_s = 0.0
        while not self._stop_requested.is_set():
            try:
                if time.monotonic() >= next_check_s:
                    next_check_s = time.monotonic() + _CHECK_INTERVAL_S
                    self._update_complete_at()
                self._set_targets()
            except KafkaException as exception:
                self._log_and_pause(classify(cause(exception)))
            except BotmeterError as error:
                self._log_and_pause(error)
            self._wake.clear()
            if self._waiting:
                self._stop_requested.wait(_PAUSE_S)
            else:
                self._wake.wait(max(0.0, next_check_s - time.monotonic()))

    def _log_and_pause(self, error: BotmeterError) -> None:
        log.log(logging.INFO if isinstance(error, Retriable) else logging.WARNING, "entitlement waits: %s", error)
        self._stop_requested.wait(_CHECK_INTERVAL_S)

    def _set_targets(self) -> None:
        """Finds the waiters whose input is committed, and sets how far the view has to read the journal for them."""
        uncommitted = [waiter for waiter in tuple(self._waiting) if waiter.target is None]
        if not uncommitted:
            return
        partitions = {(waiter.topic, waiter.partition) for waiter in uncommitted}
        found = self._consumer.committed([TopicPartition(*each) for each in partitions], timeout=_TIMEOUT_S)
        committed = {(each.topic, each.partition): each.offset for each in found}
        decided = [waiter for waiter in uncommitted if committed[waiter.topic, waiter.partition] > waiter.offset]
        if not decided:
            return
        ends = questions.end_offsets(self._admin, self._journal, {waiter.partition for waiter in decided})
        for waiter in decided:
            waiter.target = ends[waiter.partition]
        self._loop.call_soon_threadsafe(self._resolve)

    def _update_complete_at(self) -> None:
        """Sets the time up to which each view is complete: when the view has read the journal's end of that time."""
        views = self._views()
        for view in views:
            end, queried_at = self._ends.get(view.partition, (0, 0))
            if queried_at and view.position >= end:
                view.complete_at = queried_at
        queried_at = int(time.time() * 1000)
        ends = questions.end_offsets(self._admin, self._journal, [view.partition for view in views])
        self._ends = {number: (end, queried_at) for number, end in ends.items()}
        for view in views:
            if view.position >= ends[view.partition]:
                view.complete_at = queried_at
