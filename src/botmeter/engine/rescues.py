"""Reports failed partitions to operators, and notices when one was rescued.

The worker commits a note (`contracts/partition_notes.py`) with the group's offset of a failed partition, which
`botmeter partition status` reads from any machine. The rescue is recorded in the log of the rules.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event as Flag
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from botmeter.clock import Clock
from botmeter.contracts.instants import rfc3339
from botmeter.contracts.partition_notes import FailureNote, encode_note, has_begun, tells
from botmeter.engine.failure import Failure
from botmeter.engine.task import Task
from botmeter.errors import BotmeterError
from botmeter.kafka.errors import cause, classify

log = logging.getLogger(__name__)

#: How often the cluster is queried while a partition is failed.
_LOOK_EVERY_S: Final = 1.0
#: Timeout of one request.
_REQUEST_S: Final = 5.0
#: How long a rebalance waits for the commit of a note; within its own timeout.
_NOTE_S: Final = 30.0


class _Response(NamedTuple):
    """The cluster's response about the failed partitions."""

    committed: list[TopicPartition]
    rescued: set[int]


class Rescues:
    """Notes and rescues of the failed partitions of one worker. Costs nothing while there are none."""

    def __init__(
        self,
        consumer: Consumer,
        topic: str,
        worker: str,
        rescued: Callable[[Iterable[int], Flag], set[int]],
        beginnings: Mapping[int, int],
        clock: Clock,
    ) -> None:
        """`consumer`: the member of the group; `topic`: the interactions; `worker`: its name.

        `rescued` returns the partitions that were rescued since their last restore; it may wait for the cluster, until
        the flag is set. `beginnings`: the first offset of the interactions, for partitions without any commit.
        """
        self._consumer, self._topic, self._worker, self._clock = consumer, topic, worker, clock
        self._rescued, self._beginnings, self._stop = rescued, beginnings, Flag()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rescues")
        self._query: Future[_Response] | None = None
        self._note_commit: Future[None] | None = None
        self._queried_s = 0.0

    def newly_rescued(self, failed: Mapping[int, Task]) -> list[int]:
        """Returns the failed partitions that were rescued since the last call; never waits."""
        if self._query is not None:
            return self._take_response(failed) if self._query.done() else []
        if failed and self._clock.monotonic_s() - self._queried_s >= _LOOK_EVERY_S:
            self._queried_s = self._clock.monotonic_s()
            self._query = self._thread.submit(self._ask, list(failed))
        return []

    def await_note(self) -> None:
        """Waits for the commit of a note: later, it would overwrite the offsets that the next owner commits."""
        if self._note_commit is not None:
            wait([self._note_commit], timeout=_NOTE_S)

    def close(self) -> None:
        """Stops the query in progress and waits for it."""
        self._stop.set()
        self._thread.shutdown(cancel_futures=True)

    def _ask(self, numbers: list[int]) -> _Response:
        places = [TopicPartition(self._topic, number) for number in numbers]
        return _Response(self._consumer.committed(places, timeout=_REQUEST_S), self._rescued(numbers, self._stop))

    def _take_response(self, failed: Mapping[int, Task]) -> list[int]:
        query, self._query = self._query, None
        assert query is not None
        try:
            response = query.result()
        except (KafkaException, BotmeterError) as error:
            reason = classify(cause(error)) if isinstance(error, KafkaException) else error
            log.info("the failed partitions wait for the cluster: %s", reason)
            return []
        # A rescued partition may fail for something else before its next commit removes the note of the first failure.
        without_note = [
            self._with_note(each, failure)
            for each in response.committed
            if (task := failed.get(each.partition)) is not None and (failure := task.failure) is not None
            if each.error is None and (each.offset >= 0 or each.partition in self._beginnings)
            if each.partition not in response.rescued and not tells(each.metadata, failure.reason, failure.remedy)
        ]
        if without_note:
            self._note_commit = self._thread.submit(self._commit_notes, without_note)
        return [number for number in response.rescued if number in failed]

    def _with_note(self, place: TopicPartition, failure: Failure) -> TopicPartition:
        since, is_carrier = rfc3339(self._clock.now_ms()), place.offset < 0 or not has_begun(place.metadata)
        note = FailureNote(failure.reason, failure.remedy, since, self._worker, has_begun=not is_carrier)
        offset = place.offset if place.offset >= 0 else self._beginnings[place.partition]
        return TopicPartition(place.topic, place.partition, offset, metadata=encode_note(note))

    def _commit_notes(self, places: list[TopicPartition]) -> None:
        """Commits the unchanged offsets with the notes; the group refuses them from a worker that is not a member."""
        try:
            self._consumer.commit(offsets=places, asynchronous=False)
        except KafkaException as exception:
            log.info("the notes of the failed partitions were not committed: %s", classify(cause(exception)))
