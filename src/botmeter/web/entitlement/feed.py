"""The thread that feeds the view: it reads the journal, read committed, as it is written."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from botmeter.contracts.encoding import decode_event
from botmeter.contracts.topics import Topics
from botmeter.errors import BotmeterError, InvariantViolated, Retriable
from botmeter.kafka import clients, questions
from botmeter.kafka.errors import END_OF_PARTITION, cause, classify
from botmeter.kafka.reader import RestoreStopped
from botmeter.web.entitlement.loading import Start, load
from botmeter.web.entitlement.view import PartitionView

log = logging.getLogger(__name__)

_POLL_S: Final = 0.1
_BATCH: Final = 2_000
_LEADER_S: Final = 5.0
#: The time between two removals of expired windows.
_EXPIRY_INTERVAL_S: Final = 60.0
#: The time between a fault and the next attempt.
_PAUSE_S: Final = 3.0
#: The longest time that the broker holds a fetch when there is nothing new. Its response also reports the end of the
#: partition. Waiters need that: a transaction marker moves the end, but is not a record.
_FETCH_WAIT_MS: Final = "10"


class Feed(threading.Thread):
    """Reads until stopped. `views` is empty until the journal is read; a rebuild replaces it as a whole."""

    def __init__(
        self,
        kafka: Mapping[str, str],
        bootstrap_servers: str,
        group: str,
        topics: Topics,
        on_progress: Callable[[], None],
    ) -> None:
        """`on_progress` is called in this thread whenever the view has read more."""
        super().__init__(name="botmeter-entitlement", daemon=True)
        self._topics, self._on_progress = topics, on_progress
        tuned = {**kafka, "fetch.wait.max.ms": _FETCH_WAIT_MS}
        self._reader_config = clients.reader_config(tuned, bootstrap_servers, group)
        self._admin_config = clients.admin_config(kafka, bootstrap_servers)
        self._stop_requested = threading.Event()
        self.views: Sequence[PartitionView] = ()

    def run(self) -> None:
        """Follows the journal; after a fault, rebuilds the view from scratch."""
        while not self._stop_requested.is_set():
            try:
                with (
                    clients.make_admin(self._admin_config) as admin,
                    clients.make_consumer(self._reader_config) as reader,
                ):
                    self._follow(reader, *self._load(admin, reader))
            except RestoreStopped:
                return
            except InvariantViolated:
                log.exception("the view of the journal is wrong, and is rebuilt")
            except BotmeterError as error:
                log.warning("the view of the journal is rebuilt: %s", error)
            except KafkaException as exception:
                log.warning("the view of the journal is rebuilt: %s", classify(cause(exception)))
            self.views = ()
            self._stop_requested.wait(_PAUSE_S)

    def stop(self) -> None:
        """Stops the thread and waits for its end."""
        self._stop_requested.set()
        self.join()

    def _load(self, admin: object, reader: Consumer) -> tuple[list[PartitionView], list[Start]]:
        count = questions.partitions_of(admin, self._topics.journal.name)  # type: ignore[arg-type]
        views = [PartitionView(number) for number in range(count)]
        starts = [load(admin, reader, self._topics, view, self._stop_requested) for view in views]  # type: ignore[arg-type]
        return views, starts

    def _follow(self, reader: Consumer, views: list[PartitionView], starts: list[Start]) -> None:
        positions = [TopicPartition(self._topics.journal.name, view.partition, view.position) for view in views]
        for position in positions:  # finds the leader at once; the client by itself looks once a second
            reader.get_watermark_offsets(position, timeout=_LEADER_S)
        reader.assign(positions)
        behind = {view.partition for view in views}
        next_expiry_s = 0.0
        while not self._stop_requested.is_set():
            if time.monotonic() >= next_expiry_s:
                next_expiry_s = time.monotonic() + _EXPIRY_INTERVAL_S
                for view in views:
                    view.expire_windows(int(time.time() * 1000))
            first = reader.poll(_POLL_S)
            if first is None:
                continue
            advanced: set[int | None] = set()
            for message in [first, *reader.consume(_BATCH, timeout=0)]:
                self._take(views, message)
                advanced.add(message.partition())
            if behind:
                behind = {number for number in behind if number not in advanced or _is_behind(views, starts, number)}
                if not behind:
                    self._publish(views)
            self._on_progress()

    def _apply(self, view: PartitionView, value: bytes | None, offset: int) -> None:
        try:
            event = decode_event(value or b"")
        except ValueError as fault:
            # Somebody else wrote to the journal. Were it an event, the next one of its account would not follow.
            log.warning("journal, partition %d, offset %d is left out: %s", view.partition, offset, fault)
            view.position = offset + 1
            return
        try:
            view.apply(event, offset, self._topics.interactions.name)
        except ValueError as fault:
            raise InvariantViolated(f"journal, partition {view.partition}, offset {offset}: {fault}") from fault

    def _publish(self, views: list[PartitionView]) -> None:
        accounts = sum(len(view.accounts) for view in views)
        gc.freeze()  # accounts and windows stay alive; the collector need not walk them and delay responses
        log.info("entitlement is ready: %d accounts on %d partitions", accounts, len(views))
        self.views = views

    def _take(self, views: list[PartitionView], message: Message) -> None:
        error, number, offset = message.error(), message.partition(), message.offset()
        if error is not None and message.topic() == self._topics.snapshots.name:
            return  # a late report of the end of the snapshots
        if error is None and number is not None and offset is not None:
            self._apply(views[number], message.value(), offset)
        elif error is not None and error.code() == END_OF_PARTITION and number is not None and offset is not None:
            view = views[number]
            view.position = max(view.position, offset)
        elif error is not None:
            failure = classify(error, str(message.topic()))
            if not isinstance(failure, Retriable):  # the client retries those itself
                raise failure


def _is_behind(views: Sequence[PartitionView], starts: Sequence[Start], number: int) -> bool:
    """Whether the view has not yet reached the end that the journal had at the start."""
    return views[number].position < starts[number].end
