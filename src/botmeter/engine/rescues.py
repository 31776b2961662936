"""Tells operators which partitions stand, and notices when one was rescued; both through the group's offsets.

Beside the offset of a failed partition the worker leaves a note (`contracts/partition_notes.py`). `botmeter partition`
finds it there on whatever machine it runs, and leaves another one when it has mended the partition.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from botmeter.clock import Clock
from botmeter.contracts.instants import rfc3339
from botmeter.contracts.partition_notes import Rescued, Stands, decode_note, encode_note
from botmeter.engine.failure import Failure
from botmeter.engine.task import Task
from botmeter.kafka.errors import cause, classify

log = logging.getLogger(__name__)

#: How often the group is asked while a partition stands.
_LOOK_EVERY_S: Final = 1.0
#: One answer.
_REQUEST_S: Final = 5.0


class Rescues:
    """Of the failed partitions of one worker. Costs nothing while there are none."""

    def __init__(self, consumer: Consumer, topic: str, worker: str, clock: Clock) -> None:
        """`consumer`: the member of the group; `topic`: the interactions; `worker`: how it is called."""
        self._consumer, self._topic, self._worker, self._clock = consumer, topic, worker, clock
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="rescues")
        self._answer: Future[list[TopicPartition]] | None = None
        self._asked_s = 0.0
        #: The last rescue that each partition was restored for: one that did not help is not tried again.
        self._tried: dict[int, str] = {}

    def since_the_last_look(self, failed: Mapping[int, Task]) -> list[int]:
        """Those of the failed partitions that were rescued; never waits."""
        if self._answer is not None:
            return self._taken(failed) if self._answer.done() else []
        if failed and self._clock.monotonic_s() - self._asked_s >= _LOOK_EVERY_S:
            self._asked_s = self._clock.monotonic_s()
            asked = [TopicPartition(self._topic, number) for number in failed]
            self._answer = self._asking.submit(self._consumer.committed, asked, timeout=_REQUEST_S)
        return []

    def close(self) -> None:
        """Waits for the question under way."""
        self._asking.shutdown(cancel_futures=True)

    def _taken(self, failed: Mapping[int, Task]) -> list[int]:
        answer, self._answer = self._answer, None
        assert answer is not None
        try:
            found = answer.result()
        except KafkaException as exception:
            log.info("the failed partitions wait for the cluster: %s", classify(cause(exception)))
            return []
        rescued, unmarked = [], []
        for each in found:
            task, text = failed.get(each.partition), each.metadata or ""
            if task is None or each.error is not None or task.failure is None:
                continue
            note = decode_note(text)
            if isinstance(note, Rescued) and self._tried.get(each.partition) != text:
                self._tried[each.partition] = text
                rescued.append(each.partition)
            elif not isinstance(note, Stands) and each.offset >= 0:
                unmarked.append(self._marked(each, task.failure))
        if unmarked:
            self._asking.submit(self._mark, unmarked)
        return rescued

    def _marked(self, place: TopicPartition, failure: Failure) -> TopicPartition:
        since = rfc3339(self._clock.now_ms())
        note = Stands(failure.reason, failure.remedy, since, self._worker)
        return TopicPartition(place.topic, place.partition, place.offset, metadata=encode_note(note))

    def _mark(self, places: list[TopicPartition]) -> None:
        """The offsets as they are, with the notes; the group refuses those of partitions that went to others."""
        try:
            self._consumer.commit(offsets=places, asynchronous=False)
        except KafkaException as exception:
            log.info("the group was not told of the failed partitions: %s", classify(cause(exception)))
