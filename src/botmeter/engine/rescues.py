"""Tells operators which partitions stand, and notices when one was rescued.

Beside the group's offset of a failed partition the worker leaves a note (`contracts/partition_notes.py`), which
`botmeter partition status` finds on whatever machine it runs. What somebody does about it is in the log of the rules.
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
from botmeter.contracts.partition_notes import Stands, decode_note, encode_note
from botmeter.engine.failure import Failure
from botmeter.engine.task import Task
from botmeter.errors import BotmeterError
from botmeter.kafka.errors import cause, classify

log = logging.getLogger(__name__)

#: How often the cluster is asked while a partition stands.
_LOOK_EVERY_S: Final = 1.0
#: One answer.
_REQUEST_S: Final = 5.0
#: How long a note under way is waited for; within the broker's patience in a rebalance.
_NOTE_S: Final = 30.0


class _Seen(NamedTuple):
    """What the cluster says of the failed partitions."""

    committed: list[TopicPartition]
    rescued: set[int]


class Rescues:
    """Of the failed partitions of one worker. Costs nothing while there are none."""

    def __init__(
        self,
        consumer: Consumer,
        topic: str,
        worker: str,
        rescued: Callable[[Iterable[int], Flag], set[int]],
        beginnings: Mapping[int, int],
        clock: Clock,
    ) -> None:
        """`consumer`: the member of the group; `topic`: the interactions; `worker`: how it is called.

        `rescued` tells which of some partitions were rescued since their last restore; it may wait for the cluster,
        until the flag is set. `beginnings`: where the interactions begin of partitions that nothing was committed of.
        """
        self._consumer, self._topic, self._worker, self._clock = consumer, topic, worker, clock
        self._rescued, self._beginnings, self._stop = rescued, beginnings, Flag()
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="rescues")
        self._answer: Future[_Seen] | None = None
        self._marking: Future[None] | None = None
        self._asked_s = 0.0

    def since_the_last_look(self, failed: Mapping[int, Task]) -> list[int]:
        """Those of the failed partitions that were rescued; never waits."""
        if self._answer is not None:
            return self._taken(failed) if self._answer.done() else []
        if failed and self._clock.monotonic_s() - self._asked_s >= _LOOK_EVERY_S:
            self._asked_s = self._clock.monotonic_s()
            self._answer = self._asking.submit(self._ask, list(failed))
        return []

    def await_note(self) -> None:
        """Waits for a note under way: later, its offset would come over what the partition's next owner commits."""
        if self._marking is not None:
            wait([self._marking], timeout=_NOTE_S)

    def close(self) -> None:
        """Waits for the question under way, which ends now."""
        self._stop.set()
        self._asking.shutdown(cancel_futures=True)

    def _ask(self, numbers: list[int]) -> _Seen:
        asked = [TopicPartition(self._topic, number) for number in numbers]
        return _Seen(self._consumer.committed(asked, timeout=_REQUEST_S), self._rescued(numbers, self._stop))

    def _taken(self, failed: Mapping[int, Task]) -> list[int]:
        answer, self._answer = self._answer, None
        assert answer is not None
        try:
            seen = answer.result()
        except (KafkaException, BotmeterError) as error:
            told = classify(cause(error)) if isinstance(error, KafkaException) else error
            log.info("the failed partitions wait for the cluster: %s", told)
            return []
        unmarked = [
            self._marked(each, task.failure)
            for each in seen.committed
            if (task := failed.get(each.partition)) is not None and task.failure is not None
            if each.error is None and (each.offset >= 0 or each.partition in self._beginnings)
            if each.partition not in seen.rescued and decode_note(each.metadata) is None
        ]
        if unmarked:
            self._marking = self._asking.submit(self._mark, unmarked)
        return [number for number in seen.rescued if number in failed]

    def _marked(self, place: TopicPartition, failure: Failure) -> TopicPartition:
        since, has_begun = rfc3339(self._clock.now_ms()), place.offset >= 0
        note = Stands(failure.reason, failure.remedy, since, self._worker, has_begun)
        offset = place.offset if has_begun else self._beginnings[place.partition]
        return TopicPartition(place.topic, place.partition, offset, metadata=encode_note(note))

    def _mark(self, places: list[TopicPartition]) -> None:
        """The offsets as they are, with the notes; the group refuses them from whoever is no member any more."""
        try:
            self._consumer.commit(offsets=places, asynchronous=False)
        except KafkaException as exception:
            log.info("the group was not told of the failed partitions: %s", classify(cause(exception)))
