"""The worker's engine: consume, decide, commit, and the tasks that come and go with the rebalances.

One turn is `poll`, `decide`, `submit`, in this order and never two of them at once; the commit of a turn overlaps the
poll and decide of the next. Faust's side of it, which calls them, is in `host/`.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from threading import Event as Flag
from typing import Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from botmeter.contracts.topics import Topics
from botmeter.domain.prices import Rules
from botmeter.domain.sessions import memory_ms
from botmeter.engine.restore import Restorer
from botmeter.engine.running_state import RunningState
from botmeter.engine.task import Input, Status, Task
from botmeter.engine.timer import Timer
from botmeter.engine.transaction import Batch, Part, Passage, Transaction
from botmeter.errors import (
    BotmeterError,
    ConfigurationError,
    OutcomeUnknown,
    Retriable,
    TaskMigrated,
    TransactionAborted,
)
from botmeter.kafka import questions
from botmeter.kafka.errors import END_OF_PARTITION, classify

log = logging.getLogger(__name__)

#: How long an idle poll waits for a record: bounds how late the timer and a stop are noticed.
_IDLE_POLL_S: Final = 0.2
#: Between two looks whether the commit under way has ended, and the records that are worth deciding before it has.
_GATHER_S: Final = 0.002
_GATHERED_RECORDS: Final = 4_000
#: Commits that may fail one after the other before the worker gives up and exits.
_FAILURES_MAX: Final = 10
#: So often may others take over from a worker in so short a time; in a rebalance it happens once.
_MIGRATIONS_MAX: Final = 5
_MIGRATIONS_WITHIN_S: Final = 60.0
#: How long a rebalance waits for the commit under way; within the broker's patience (max.poll.interval.ms).
_REVOKE_BUDGET_S: Final = 30.0
#: Restores at the same time: they wait for the broker most of it.
_RESTORES_MAX: Final = 4
#: How long the cluster may take to tell the leaders of partitions.
_LEADER_S: Final = 10.0
#: Records read but not yet taken, per partition, above which reading pauses.
_WAITING_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the engine needs to know besides its parts."""

    topics: Topics
    rules: Rules
    batch_records: int
    linger_s: float


@dataclass(slots=True)
class _Restoring:
    """A restore under way."""

    stop: Flag
    restored: Future[RunningState]

    def abandon(self) -> None:
        """Stops it; what it has restored by then is closed."""
        self.stop.set()
        self.restored.cancel()
        self.restored.add_done_callback(_close_abandoned)


def _close_abandoned(restored: Future[RunningState]) -> None:
    if not restored.cancelled() and restored.exception() is None:
        restored.result().store.close()


class Processor:
    """All tasks of one worker. `poll`, `decide` and `submit` are called in turn; `close` ends it."""

    def __init__(
        self,
        settings: EngineSettings,
        make_consumer: Callable[[], Consumer],
        restorer: Restorer,
        timer: Timer,
        transaction: Transaction,
    ) -> None:
        self._settings = settings
        self._restorer = restorer
        self._timer = timer
        self._transaction = transaction
        self._consumer = make_consumer()
        self._restores = ThreadPoolExecutor(_RESTORES_MAX, thread_name_prefix="restore")
        self._commits = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._in_flight: Future[bool] | None = None
        self._restoring: dict[int, _Restoring] = {}
        self._inputs: dict[tuple[str, int], Input] = {}
        self._paused: set[int] = set()
        self._failure: BaseException | None = None
        self._failures = 0
        self._migrations: deque[float] = deque(maxlen=_MIGRATIONS_MAX)
        #: Whether the last turn left something undecided that could have been decided.
        self._is_behind = False
        self._polled_at = 0
        self.tasks: dict[int, Task] = {}
        #: What was decided since the start, by outcome and dead-letter reason.
        self.counts: Counter[str] = Counter()

    def open(self) -> None:
        """Opens the producer and joins the group. Raises ClusterError, or Retriable without an answer."""
        self._commits.submit(self._transaction.open).result()
        topic = self._settings.topics.interactions.name
        # The group finds the leaders of the subscribed topic; those of the other, the client would look for once a
        # second.
        commands = self._settings.topics.commands.name
        questions.retried(lambda: self._consumer.list_topics(commands, timeout=_LEADER_S), commands)
        self._consumer.subscribe([topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def close(self) -> None:
        """Waits for the commit under way, leaves the group, closes stores and producer."""
        for restoring in self._restoring.values():
            restoring.stop.set()
        self._await_commit()
        self._consumer.close()  # revokes what is assigned, which closes the tasks
        for task in self.tasks.values():
            task.close()
        self.tasks.clear()
        self._timer.close()
        self._restores.shutdown()
        self._restorer.close()
        self._commits.submit(self._transaction.close)
        self._commits.shutdown()

    @property
    def restore_left(self) -> Mapping[int, int]:
        """How many events of the journal the restores under way have still to read, by partition."""
        return self._restorer.left

    # --- A turn ---

    def poll(self) -> int:
        """Reads what has come, up to a micro-batch, and takes over finished restores; how many records that were.

        Blocks shortly when nothing comes. Raises what a rebalance or a restore ran into.
        """
        self._take_over_restored()
        messages = self._gather()
        self._polled_at = _now_ms()
        self._sort_in(messages)
        self._throttle()
        for task in self._running():
            self._timer.advance(task, _now_ms())
        if self._failure is not None:
            raise self._failure
        return len(messages)

    def _gather(self) -> list[Message]:
        """What there is to read, and what still comes before it could be committed.

        While the commit before this is under way, nothing more could be committed anyway, so a record that comes now
        need not wait for a batch of its own. A batch that is large enough to be worth deciding meanwhile is not held.
        """
        first = self._consumer.poll(0 if self._is_behind else _IDLE_POLL_S)
        if first is None:
            return []
        messages = [first]
        left = self._settings.batch_records - 1
        wait_s = self._settings.linger_s
        while left > 0:
            more = self._consumer.consume(left, timeout=wait_s)
            messages += more
            left -= len(more)
            if self._is_behind or len(messages) >= _GATHERED_RECORDS or not self._is_committing:
                break
            wait_s = _GATHER_S
        return messages

    @property
    def _is_committing(self) -> bool:
        return self._in_flight is not None and not self._in_flight.done()

    def decide(self) -> Batch:
        """Decides all that can be taken, and the timer; pure but for the prefetch."""
        self._is_behind = False
        running = self._running()
        oldest_at = min((at for task in running if (at := task.oldest_at) is not None), default=None)
        parts = [self._decide(task) for task in running]
        passage = None if oldest_at is None else Passage(oldest_at, self._polled_at, _now_ms())
        return Batch(parts, self._membership() if parts else None, passage)

    def _running(self) -> list[Task]:
        return [task for task in self.tasks.values() if task.status is Status.RUNNING]

    def _membership(self) -> object | None:
        """The group's metadata that fences the commit, None while the group does not know this worker.

        That is so from the moment the group gives up on a silent worker until the next poll tells it. Metadata without
        a member would be taken by the broker as a commit from outside the group, and fence nothing.
        """
        metadata: object = self._consumer.consumer_group_metadata()
        return metadata if self._consumer.memberid() else None

    def submit(self, batch: Batch) -> Future[bool]:
        """Commits the batch on the commit thread; the one before must have been waited for."""
        self._in_flight = self._commits.submit(self._commit, batch)
        return self._in_flight

    def recover(self, error: BotmeterError) -> None:
        """After a failed commit: forgets what was decided since the last one that succeeded, and restores it.

        Raises the error itself when commits keep failing.
        """
        self._failures += 1
        if self._failures > _FAILURES_MAX:
            raise error
        if isinstance(error, TaskMigrated):
            self._require_a_name_of_its_own(error)
        log.warning("commit failed, restoring the tasks from the last committed batch: %s", error)
        if isinstance(error, OutcomeUnknown | TaskMigrated):
            self._replace_producer()
        for task in self._running():
            self._unassign(task)
            self._begin_restore(task)

    def _require_a_name_of_its_own(self, error: TaskMigrated) -> None:
        """Two workers of one name end each other's producer in turn, and each would come back for ever."""
        now_s = time.monotonic()
        if len(self._migrations) == _MIGRATIONS_MAX and now_s - self._migrations[0] < _MIGRATIONS_WITHIN_S:
            raise ConfigurationError(
                f"fenced {_MIGRATIONS_MAX} times within {_MIGRATIONS_WITHIN_S:.0f} s, at last by: {error}; give each "
                "worker a BOTMETER_INSTANCE of its own"
            ) from error
        self._migrations.append(now_s)

    def _replace_producer(self) -> None:
        """However long the cluster takes to answer: without a producer nothing can go on, and nothing is lost."""
        while True:
            try:
                self._commits.submit(self._transaction.open).result()
            except (Retriable, OutcomeUnknown) as error:
                log.warning("no new producer yet, trying again: %s", error)
            else:
                return

    def _commit(self, batch: Batch) -> bool:
        is_committed = self._transaction.commit(batch)
        if is_committed:
            self._failures = 0
            for part in batch.parts:
                self.counts.update(part.decided.counts)
        return is_committed

    def _await_commit(self) -> None:
        """Waits for the commit under way; whether it failed is told to whoever holds its future."""
        if self._in_flight is not None:
            wait_for([self._in_flight], timeout=_REVOKE_BUDGET_S)

    # --- Reading ---

    def _sort_in(self, messages: list[Message]) -> None:
        """Hands each input what came for it, runs of one input as a whole."""
        begin, place = 0, (messages[0].topic(), messages[0].partition()) if messages else None
        for index, message in enumerate(messages):
            here, error = (message.topic(), message.partition()), message.error()
            if here == place and error is None:
                continue
            self._hand_over(place, messages[begin:index])
            begin, place = index, here
            if error is not None:
                self._meet(error, message, self._inputs.get(here))  # type: ignore[arg-type]  # as below
                begin = index + 1
        self._hand_over(place, messages[begin:])

    def _hand_over(self, place: tuple[str | None, int | None] | None, run: list[Message]) -> None:
        input_ = self._inputs.get(place)  # type: ignore[arg-type]  # only errors have no topic, and find none
        if input_ is not None and run:
            input_.extend(run)  # type: ignore[arg-type]  # a record without an error has key, value, offset

    def _meet(self, error: KafkaError, message: Message, input_: Input | None) -> None:
        if error.code() == END_OF_PARTITION:
            if input_ is not None:
                input_.end = message.offset()
            return
        mapped = classify(error, message.topic() or "")
        if not isinstance(mapped, Retriable | TaskMigrated):
            raise mapped
        log.info("consumer: %s", mapped)  # the client reconnects and rejoins by itself

    def _throttle(self) -> None:
        """Stops reading partitions of which more waits than a few batches, until it is taken."""
        for task in self._running():
            number = task.partition
            is_full = max(len(task.interactions.waiting), len(task.commands.waiting)) > _WAITING_MAX
            if is_full and number not in self._paused:
                full = [i for i in (task.interactions, task.commands) if len(i.waiting) > _WAITING_MAX]
                self._paused.add(number)
                self._consumer.pause([tp for tp in self._pair(number) if self._inputs[tp.topic, number] in full])
            elif not is_full and number in self._paused:
                self._paused.discard(number)
                self._consumer.resume(self._pair(number))

    # --- Deciding ---

    def _decide(self, task: Task) -> Part:
        meter, taken = task.states.meter, 0
        with meter.batch() as decided:
            for run, command in task.runs(self._settings.batch_records):
                meter.take_interactions(run)
                if command is not None:
                    meter.take_command(command)
                taken += len(run) + (command is not None)
            # Records still unread have timestamps at or after the last taken; ahead of the log goes only the timer.
            tick_at = max(meter.state.stream_time, task.timer_at)
            meter.tick(tick_at)
        if taken >= self._settings.batch_records or meter.state.is_due(tick_at):
            self._is_behind = True
        return Part(
            states=task.states,
            decided=decided,
            interactions_position=task.interactions.position,
            commands_position=task.commands.position,
            forget_before=meter.state.stream_time - memory_ms(self._settings.rules),
        )

    # --- Tasks that come and go ---

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Nothing is read before it is restored, so nothing is assigned to the client yet."""
        try:
            self._consumer.incremental_assign([])
            for number in sorted(partition.partition for partition in partitions):
                log.info("partition %d: assigned", number)
                task = self.tasks[number] = Task(number)
                self._begin_restore(task)
        except BaseException as error:  # noqa: BLE001 - the client would assign regardless of what is raised here
            self._failure = error

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """The commit under way is finished first, so that the next owner finds it."""
        try:
            self._await_commit()
            self._give_up([partition.partition for partition in partitions])
        except BaseException as error:  # noqa: BLE001 - as in _on_assign
            self._failure = error

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """They are another worker's already: nothing of them may be committed, and the broker will see to that."""
        log.warning("the group took %d partitions away", len(partitions))
        self._on_revoke(consumer, partitions)

    def _give_up(self, numbers: list[int]) -> None:
        assigned: list[TopicPartition] = []
        for number in numbers:
            log.info("partition %d: revoked", number)
            task = self.tasks.pop(number, None)
            if (restoring := self._restoring.pop(number, None)) is not None:
                restoring.abandon()
            if task is None:
                continue
            if task.status is Status.RUNNING:
                assigned += self._forget_inputs(number)
            task.close()
        self._consumer.incremental_unassign(assigned)

    def _unassign(self, task: Task) -> None:
        self._consumer.incremental_unassign(self._forget_inputs(task.partition))

    def _forget_inputs(self, number: int) -> list[TopicPartition]:
        pair = self._pair(number)
        for partition in pair:
            self._inputs.pop((partition.topic, number), None)
        self._paused.discard(number)
        return pair

    def _pair(self, number: int) -> list[TopicPartition]:
        topics = self._settings.topics
        return [TopicPartition(topics.interactions.name, number), TopicPartition(topics.commands.name, number)]

    def _begin_restore(self, task: Task) -> None:
        task.restore()
        stop = Flag()
        restored = self._restores.submit(self._restorer.restore, task.partition, stop)
        self._restoring[task.partition] = _Restoring(stop, restored)

    def _take_over_restored(self) -> None:
        done = [number for number, restoring in self._restoring.items() if restoring.restored.done()]
        for number in done:
            restored, task = self._restoring.pop(number).restored, self.tasks[number]
            if isinstance(passing := restored.exception(), Retriable):
                log.warning("partition %d: restore failed, trying again: %s", number, passing)
                self._begin_restore(task)
                continue
            task.run(restored.result())
            interactions, commands = self._pair(number)
            interactions.offset, commands.offset = task.interactions.position, task.commands.position
            self._inputs[interactions.topic, number] = task.interactions
            self._inputs[commands.topic, number] = task.commands
            self._consumer.incremental_assign([interactions, commands])


#: What a failed commit may raise for `Processor.recover`; anything else is a bug or needs a person.
RECOVERABLE: Final = (TransactionAborted, TaskMigrated, Retriable)


def _now_ms() -> int:
    """The worker's clock, UTC ms."""
    return time.time_ns() // 1_000_000
