"""The partitions that the group gives this worker, and where each stands: restored, metered, failed, given up.

A partition that cannot go on fails alone: its inputs are not read, nothing of it is committed, and its worker goes on
with the others. It stays so until it is revoked or rescued (`botmeter partition`), or the worker is restarted.

All but `tasks` and `restore_left` belongs to the thread that polls.
"""

from __future__ import annotations

import gc
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from botmeter.clock import Clock
from botmeter.contracts.topics import Topics
from botmeter.engine.broker_time import BrokerTime
from botmeter.engine.failure import Failure, failed_restore, is_bug, is_for_all
from botmeter.engine.inputs import Inputs
from botmeter.engine.rescues import Rescues
from botmeter.engine.restoring import Restoring
from botmeter.engine.task import Status, Task
from botmeter.errors import ConfigurationError, Forgotten, TaskMigrated

log = logging.getLogger(__name__)

#: So often may a namesake fence a worker, or its group forget it, in so short a time; in a rebalance it happens once.
_OFTEN: Final = 5
_OFTEN_WITHIN_S: Final = 60.0


class Membership:
    """The tasks of one worker, as the group and their faults make them come and go."""

    def __init__(
        self,
        consumer: Consumer,
        topics: Topics,
        partitions: int,
        name: str,
        restoring: Restoring,
        broker_time: BrokerTime,
        clock: Clock,
    ) -> None:
        """`partitions`: how many there are for good; `name`: the worker's."""
        self._consumer, self._topics, self._partitions = consumer, topics, partitions
        self._restoring, self._clock = restoring, clock
        #: Waits for the commit under way, which still needs the states of its tasks: a restore beside it would find
        #: half of it, and a store that was closed would not take it.
        self.await_commit: Callable[[], None] = lambda: None
        #: Told of each partition whose inputs are not read on.
        self.forgotten: Callable[[int], None] = lambda _: None
        self._rescues = Rescues(
            consumer, topics.interactions.name, name, restoring.rescued, restoring.beginnings, clock
        )
        self._error: BaseException | None = None
        self._fenced: deque[float] = deque(maxlen=_OFTEN)
        self._forgotten: deque[float] = deque(maxlen=_OFTEN)
        self.inputs = Inputs(consumer, topics, broker_time)
        self.tasks: dict[int, Task] = {}

    @property
    def restore_left(self) -> Mapping[int, int]:
        """How many events of the journal the restores under way have still to read, by partition."""
        return self._restoring.events_left

    @property
    def running(self) -> list[Task]:
        """The tasks that are metered."""
        return [task for task in self.tasks.values() if task.status is Status.RUNNING]

    def join(self) -> None:
        """Becomes a member of the group with the next poll."""
        topic = self._topics.interactions.name
        self._consumer.subscribe([topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def leave(self) -> None:
        """Gives everything back; to be called once the commit under way is through. Raises what that ran into."""
        self._rescues.close()
        self._consumer.close()  # revokes what is assigned, which closes the tasks
        for task in self.tasks.values():
            task.close()
        self.tasks.clear()
        self._raise_error()

    def metadata(self) -> object | None:
        """The group's metadata that fences a commit, None while the group does not know this worker.

        That is so from the moment the group gives up on a silent worker until the next poll tells it. Metadata without
        a member would be taken by the broker as a commit from outside the group, and fence nothing.
        """
        metadata: object = self._consumer.consumer_group_metadata()
        return metadata if self._consumer.memberid() else None

    def require_sound(self) -> None:
        """Raises what a rebalance ran into; fails the partitions whose inputs cannot be read on."""
        self._raise_error()
        while self.inputs.refused:
            number, refused = self.inputs.refused.popitem()
            task = self.tasks.get(number)
            if task is not None and task.status is Status.RUNNING:
                self.fail(
                    task,
                    Failure(
                        str(refused),
                        f"if they are gone for good, run: botmeter partition restore-from {number} inputs",
                    ),
                )

    def _raise_error(self) -> None:
        """Once: what ends a worker is not told again while it closes."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    # --- Restored, failed, rescued ---

    def look_after(self) -> None:
        """Takes over finished restores, and restores those that somebody has rescued. Raises what is for all."""
        for number, restored in self._restoring.finished():
            task = self.tasks[number]
            if not isinstance(restored, BaseException):
                task.run(restored)
                self.inputs.assign(task)
                gc.freeze()  # what was restored stays; the collector need not walk it again and again
            elif is_for_all(restored):
                raise restored
            else:
                self.fail(task, failed_restore(number, restored), restored)
        failed = {task.partition: task for task in self.tasks.values() if task.status is Status.FAILED}
        for number in self._rescues.since_the_last_look(failed):
            log.info("partition %d: somebody has rescued it, restoring it", number)
            self.restore(failed[number])

    def fail(self, task: Task, failure: Failure, error: BaseException | None = None) -> None:
        """The partition stands from here on; the log tells why and what to do."""
        self.await_commit()
        self._stop_reading(task)
        self._restoring.abandon(task.partition)
        if task.running is not None and task.running.committed is not None:
            self._restoring.has_begun(task.partition)
        task.fail(failure)
        bug = error if error is not None and is_bug(error) else None
        log.error("partition %d FAILED, the others go on: %s", task.partition, failure, exc_info=bug)

    def restore(self, task: Task) -> None:
        """Forgets what was decided since the last commit, and restores that."""
        self.await_commit()
        self._stop_reading(task)
        task.restore()
        self._restoring.begin(task.partition)

    def _stop_reading(self, task: Task) -> None:
        self.forgotten(task.partition)
        if task.status is Status.RUNNING:
            self._consumer.incremental_unassign(self.inputs.forget(task.partition))

    def was_fenced(self, error: TaskMigrated) -> None:
        """Raises ConfigurationError when it happens again and again.

        Two workers of one name end each other's producer in turn, and each would come back for ever.
        """
        if self._happens_often(self._fenced):
            raise ConfigurationError(
                f"fenced {_OFTEN} times within {_OFTEN_WITHIN_S:.0f} s, at last by: {error}; give each "
                "worker a BOTMETER_INSTANCE of its own"
            ) from error

    def was_forgotten(self, error: Forgotten) -> None:
        """Warns when it happens again and again: the worker goes on, and meters little."""
        if self._happens_often(self._forgotten):
            log.warning(
                "the group forgot this worker %d times within %.0f s, at last: %s; it joins again. If its processor is "
                "busy, give it more, or start more workers; else raise BOTMETER_KAFKA__SESSION_TIMEOUT_MS",
                _OFTEN, _OFTEN_WITHIN_S, error,
            )  # fmt: skip

    def _happens_often(self, times: deque[float]) -> bool:
        """Notes that it happened now; whether it has, so often and in so short a time before."""
        now_s = self._clock.monotonic_s()
        is_often = len(times) == _OFTEN and now_s - times[0] < _OFTEN_WITHIN_S
        times.append(now_s)
        return is_often

    # --- Rebalances ---

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Nothing is read before it is restored, so nothing is assigned to the client yet."""
        try:
            self._consumer.incremental_assign([])
            for number in sorted(partition.partition for partition in partitions):
                log.info("partition %d: assigned", number)
                task = self.tasks[number] = Task(number, self._clock)
                if number < self._partitions:
                    self.restore(task)
                else:
                    self.fail(task, grown(self._topics.interactions.name, number, self._partitions))
        except BaseException as error:  # noqa: BLE001 - the client would assign regardless of what is raised here
            self._error = error

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """What is being committed is finished first, so that the next owner finds it."""
        try:
            self.await_commit()
            self._rescues.await_note()
            self._give_up([partition.partition for partition in partitions])
        except BaseException as error:  # noqa: BLE001 - as in _on_assign
            self._error = error

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """They are another worker's already: nothing of them may be committed, and the broker will see to that."""
        log.warning("the group took %d partitions away", len(partitions))
        self._on_revoke(consumer, partitions)

    def _give_up(self, numbers: list[int]) -> None:
        assigned: list[TopicPartition] = []
        for number in numbers:
            log.info("partition %d: revoked", number)
            task = self.tasks.pop(number, None)
            self._restoring.abandon(number)
            self.forgotten(number)
            if task is None:
                continue
            if task.status is Status.RUNNING:
                assigned += self.inputs.forget(number)
            task.close()
        self._consumer.incremental_unassign(assigned)


def grown(topic: str, number: int, partitions: int) -> Failure:
    """Of a partition that somebody added to the inputs: taking it would move accounts away from their journal."""
    return Failure(
        f"partition {number} of {topic} is new: the number of partitions is for good, {partitions} here, because an "
        "account's partition is computed from it; nothing of the new one is metered, and producers that know it send "
        "records astray",
        f"the topic has to be made anew with {partitions}: docs/runbook.md, 'More partitions'",
    )
