"""The thread that keeps the view: reads the journal, read committed, as it is written."""

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
#: How often the view forgets windows that are past use, and how long a fault is left alone.
_TIDY_S: Final = 60.0
_PAUSE_S: Final = 3.0
#: The broker keeps a question for so long when there is nothing new. Its answer also tells that this is the end, which
#: whoever waits for the end of a transaction has to hear: a mark of its end is no record.
_FETCH_WAIT_MS: Final = "10"


class Feed(threading.Thread):
    """Reads until stopped. `views` is replaced as a whole when all has to be read anew; empty: nothing is known yet."""

    def __init__(
        self,
        kafka: Mapping[str, str],
        bootstrap_servers: str,
        group: str,
        topics: Topics,
        advanced: Callable[[], None],
    ) -> None:
        """`advanced` is called in this thread whenever the view has taken more in."""
        super().__init__(name="botmeter-entitlement", daemon=True)
        self._topics, self._advanced = topics, advanced
        tuned = {**kafka, "fetch.wait.max.ms": _FETCH_WAIT_MS}
        self._reader_config = clients.reader_config(tuned, bootstrap_servers, group)
        self._admin_config = clients.admin_config(kafka, bootstrap_servers)
        self._stop_asked = threading.Event()
        self.views: Sequence[PartitionView] = ()

    def run(self) -> None:
        """Follows the journal; after a fault, reads all of it anew."""
        while not self._stop_asked.is_set():
            try:
                with (
                    clients.make_admin(self._admin_config) as admin,
                    clients.make_consumer(self._reader_config) as reader,
                ):
                    self._follow(reader, *self._load(admin, reader))
            except RestoreStopped:
                return
            except InvariantViolated:
                log.exception("the view of the journal is wrong, and is made anew")
            except BotmeterError as error:
                log.warning("the view of the journal is made anew: %s", error)
            except KafkaException as exception:
                log.warning("the view of the journal is made anew: %s", classify(cause(exception)))
            self.views = ()
            self._stop_asked.wait(_PAUSE_S)

    def stop(self) -> None:
        """Ends it, and waits until it has."""
        self._stop_asked.set()
        self.join()

    def _load(self, admin: object, reader: Consumer) -> tuple[list[PartitionView], list[Start]]:
        count = questions.partitions_of(admin, self._topics.journal.name)  # type: ignore[arg-type]
        views = [PartitionView(number) for number in range(count)]
        starts = [load(admin, reader, self._topics, view, self._stop_asked) for view in views]  # type: ignore[arg-type]
        return views, starts

    def _follow(self, reader: Consumer, views: list[PartitionView], starts: list[Start]) -> None:
        places = [TopicPartition(self._topics.journal.name, view.partition, view.position) for view in views]
        for place in places:  # finds the leader, for which the client would else look once a second
            reader.get_watermark_offsets(place, timeout=_LEADER_S)
        reader.assign(places)
        behind = {view.partition for view in views}
        tidy_s = 0.0
        while not self._stop_asked.is_set():
            if time.monotonic() >= tidy_s:
                tidy_s = time.monotonic() + _TIDY_S
                for view in views:
                    view.forget_old_windows(int(time.time() * 1000))
            first = reader.poll(_POLL_S)
            if first is None:
                continue
            heard: set[int | None] = set()
            for message in [first, *reader.consume(_BATCH, timeout=0)]:
                self._take(views, message)
                heard.add(message.partition())
            if behind:
                behind = {number for number in behind if number not in heard or _is_behind(views, starts, number)}
                if not behind:
                    self._is_complete(views)
            self._advanced()

    def _is_complete(self, views: list[PartitionView]) -> None:
        accounts = sum(len(view.accounts) for view in views)
        gc.freeze()  # accounts and windows live on: the collector, which holds up every answer, need not walk them
        log.info("entitlement is ready: %d accounts on %d partitions", accounts, len(views))
        self.views = views

    def _take(self, views: list[PartitionView], message: Message) -> None:
        error, number, offset = message.error(), message.partition(), message.offset()
        if error is not None and message.topic() == self._topics.snapshots.name:
            return  # the end of the snapshots, told late
        if error is None and number is not None and offset is not None:
            try:
                views[number].apply(decode_event(message.value() or b""), offset, self._topics.interactions.name)
            except ValueError as fault:
                raise InvariantViolated(f"{message.topic()}, partition {number}, offset {offset}: {fault}") from fault
        elif error is not None and error.code() == END_OF_PARTITION and number is not None and offset is not None:
            view = views[number]
            view.position = max(view.position, offset)
        elif error is not None:
            fault_ = classify(error, str(message.topic()))
            if not isinstance(fault_, Retriable):  # the client gets over those by itself
                raise fault_


def _is_behind(views: Sequence[PartitionView], starts: Sequence[Start], number: int) -> bool:
    """Whether the view has not read all there was when it was begun."""
    return views[number].position < starts[number].end
