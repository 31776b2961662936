"""The partitions that the group assigns to this worker, and the status of each: restoring, running, failed, closed.

A partition that cannot continue fails alone: its inputs are not read, nothing of it is committed, and the worker
continues with the others. It stays failed until it is revoked or rescued (`botmeter partition`), or the worker is
restarted.

Everything except `tasks` and `restore_left` is used by the polling thread only.
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

#: How often, within what time, a namesake may fence this worker, or its group forget it; a rebalance does it once.
_OFTEN: Final = 5
_OFTEN_WITHIN_S: Final = 60.0


class Membership:
    """The tasks of one worker: created and closed by rebalances, failed by errors, restored after rescues."""

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
        """`partitions`: the fixed number of partitions; `name`: the worker's name."""
        self._consumer, self._topics, self._partitions = consumer, topics, partitions
        self._restoring, self._clock = restoring, clock
        #: Waits for the commit in progress, which still needs the states of its tasks: a parallel restore would read
        #: half of it, and a closed store would ignore it.
        self.await_commit: Callable[[], object] = lambda: None
        #: Called with each partition whose inputs are no longer read.
        self.on_unassigned: Callable[[int], None] = lambda _: None
        self._rescues = Rescues(
            consumer, topics.interactions.name, name, restoring.rescued, restoring.beginnings, clock
        )
        self._error: BaseException | None = None
        self._fenced: deque[float] = deque(maxlen=_OFTEN)
        self._forgotten: deque[float] = deque(maxlen=_OFTEN)
        self.inputs = Inputs(consumer, topics, broker_time)
        #: Whether the group has ever accepted this consumer.
        self.has_joined = False
        self.tasks: dict[int, Task] = {}

    @property
    def restore_left(self) -> Mapping[int, int]:
        """The number of journal events that running restores have still to read, by partition."""
        return self._restoring.events_left

    @property
    def running(self) -> list[Task]:
        """The running tasks."""
        return [task for task in self.tasks.values() if task.status is Status.RUNNING]

    def join(self) -> None:
        """Subscribes; the next poll joins the group."""
        topic = self._topics.interactions.name
        self._consumer.subscribe([topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def leave(self) -> None:
        """Leaves the group and closes the tasks; called after the last commit. Raises errors of rebalance callbacks."""
        self._rescues.close()
        self._consumer.close()  # revokes what is assigned, which closes the tasks
        for task in self.tasks.values():
            task.close()
        self.tasks.clear()
        self._raise_error()

    def metadata(self) -> object | None:
        """Returns the group metadata that fences a commit, None while this worker is not a member of the group.

        It is not a member after the group has expelled it for its silence, until the next poll. The broker would accept
        metadata without a member id as a commit from outside the group, which fences nothing.
        """
        metadata: object = self._consumer.consumer_group_metadata()
        return metadata if self._consumer.memberid() else None

    def require_sound(self) -> None:
        """Raises errors of rebalance callbacks; fails the partitions whose inputs cannot be read any more."""
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
        """Raises the error of a callback once: it is not raised again while the worker closes."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    # --- Restored, failed, rescued ---

    def update_tasks(self) -> None:
        """Runs the restored tasks, and restores the rescued ones. Raises errors that concern the whole worker."""
        for number, restored in self._restoring.finished():
            task = self.tasks[number]
            if not isinstance(restored, BaseException):
                task.run(restored)
                self.inputs.assign(task)
                gc.freeze()  # restored states live long; the garbage collector need not scan them repeatedly
            elif is_for_all(restored):
                raise restored
            else:
                self.fail(task, failed_restore(number, restored), restored)
        failed = {task.partition: task for task in self.tasks.values() if task.status is Status.FAILED}
        for number in self._rescues.newly_rescued(failed):
            log.info("partition %d: an operator has rescued it, restoring it", number)
            self.restore(failed[number])

    def fail(self, task: Task, failure: Failure, error: BaseException | None = None) -> None:
        """Fails the partition; the log line says why and what to do."""
        self.await_commit()
        self._stop_reading(task)
        self._restoring.abandon(task.partition)
        if task.running is not None and task.running.committed is not None:
            self._restoring.has_begun(task.partition)
        task.fail(failure)
        bug = error if error is not None and is_bug(error) else None
        log.error("partition %d FAILED, the others go on: %s", task.partition, failure, exc_info=bug)

    def restore(self, task: Task) -> None:
        """Drops the decisions since the last commit, and restores the state of that commit."""
        self.await_commit()
        self._stop_reading(task)
        task.restore()
        self._restoring.begin(task.partition)

    def _stop_reading(self, task: Task) -> None:
        self.on_unassigned(task.partition)
        if task.status is Status.RUNNING:
            self._consumer.incremental_unassign(self.inputs.forget(task.partition))

    def was_fenced(self, error: TaskMigrated) -> None:
        """Raises ConfigurationError when the worker is fenced repeatedly.

        Two workers of the same name fence each other's producers in turn, without end.
        """
        if self._happens_often(self._fenced):
            raise ConfigurationError(
                f"fenced {_OFTEN} times within {_OFTEN_WITHIN_S:.0f} s, at last by: {error}; give each "
                "worker a BOTMETER_INSTANCE of its own"
            ) from error

    def was_forgotten(self, error: Forgotten) -> None:
        """Logs a warning when the group forgets this worker repeatedly: it continues, but meters little."""
        if self._happens_often(self._forgotten):
            log.warning(
                "the group forgot this worker %d times within %.0f s, at last: %s; it joins again. If its processor is "
                "busy, give it more, or start more workers; else raise BOTMETER_KAFKA__SESSION_TIMEOUT_MS",
                _OFTEN, _OFTEN_WITHIN_S, error,
            )  # fmt: skip

    def _happens_often(self, times: deque[float]) -> bool:
        """Adds the current time; returns whether `_OFTEN` times before it lie within `_OFTEN_WITHIN_S`."""
        now_s = self._clock.monotonic_s()
        is_often = len(times) == _OFTEN and now_s - times[0] < _OFTEN_WITHIN_S
        times.append(now_s)
        return is_often

    # --- Rebalances ---

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Starts the restores. Nothing is assigned to the client yet, because nothing is read before it is restored."""
        try:
            self.has_joined = True
            self._consumer.incremental_assign([])
            for number in sorted(partition.partition for partition in partitions):
                log.info("partition %d: assigned", number)
                task = self.tasks[number] = Task(number, self._clock)
                if number < self._partitions:
                    self.restore(task)
                else:
                    self.fail(task, grown(self._topics.interactions.name, number, self._partitions))
        except BaseException as error:  # noqa: BLE001 - the client ignores exceptions and would assign anyway
            self._error = error

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Finishes the commits in progress first, so that the next owner finds them; then closes the tasks."""
        try:
            self.await_commit()
            self._rescues.await_note()
            self._give_up([partition.partition for partition in partitions])
        except BaseException as error:  # noqa: BLE001 - as in _on_assign
            self._error = error

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Closes the tasks. Another worker owns them already, so the broker rejects commits of this one."""
        log.warning("the group took %d partitions away", len(partitions))
        self._on_revoke(consumer, partitions)

    def _give_up(self, numbers: list[int]) -> None:
        assigned: list[TopicPartition] = []
        for number in numbers:
            log.info("partition %d: revoked", number)
            task = self.tasks.pop(number, None)
            self._restoring.abandon(number)
            self.on_unassigned(number)
            if task is None:
                continue
            if task.status is Status.RUNNING:
                assigned += self.inputs.forget(number)
            task.close()
        self._consumer.incremental_unassign(assigned)


def grown(topic: str, number: int, partitions: int) -> Failure:
    """Describes the failure of an added partition: metering it would separate accounts from their journal."""
    return Failure(
        f"partition {number} of {topic} is new: the number of partitions is for good, {partitions} here, because an "
        "account's partition is computed from it; nothing of the new one is metered, and producers that know it send "
        "records astray",
        f"the topic has to be recreated with {partitions}: docs/runbook.md, 'More partitions'",
    )
