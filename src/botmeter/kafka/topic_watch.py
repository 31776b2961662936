"""Watches, on a thread of its own, whether the topics are still those that the worker started with."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from threading import Event as Flag
from threading import Thread
from typing import Final

from confluent_kafka.admin import AdminClient

from botmeter.errors import BotmeterError, ClusterError, Retriable
from botmeter.kafka import questions

log = logging.getLogger(__name__)

_EVERY_S: Final = 10.0
#: How long `close` waits for the thread to end.
_END_S: Final = 0.5


class TopicWatch:
    """Queries the topics' ids every few seconds.

    Without it, the deletion of an output topic would only show in failing commits, and a recreated topic not at all.
    """

    def __init__(self, admin: AdminClient, names: Iterable[str]) -> None:
        """Remembers the topics as they are now, and starts the thread. Raises ClusterError, Retriable."""
        self._admin, self._names = admin, tuple(names)
        self._ids = questions.topic_ids(admin, self._names)
        self._found: BotmeterError | None = None
        self._stop = Flag()
        self._thread = Thread(target=self._watch, name="topics", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises ClusterError when a topic was deleted or recreated since the start."""
        if self._found is not None:
            raise self._found

    def close(self) -> None:
        """Ends the thread; does not wait for a query under way."""
        self._stop.set()
        self._thread.join(_END_S)

    def _watch(self) -> None:
        while self._found is None and not self._stop.wait(_EVERY_S):
            self._found = self._difference()

    def _difference(self) -> BotmeterError | None:
        try:
            ids = questions.topic_ids(self._admin, self._names)
        except Retriable as error:
            log.info("the topics could not be looked at: %s", error)
            return None
        except BotmeterError as error:
            return error
        recreated = [name for name in self._names if ids[name] != self._ids[name]]
        if not recreated:
            return None
        return ClusterError(
            f"topic {recreated[0]} was deleted and made again while the worker ran; its records are gone, and the "
            "worker must read all topics again: restart it"
        )
