"""The worker's engine: consume, decide, commit, and the tasks that come and go with the rebalances.

One turn is `take`, which reads and decides, then `submit`. The commit of a turn overlaps the `take` of the next, which
goes on reading and deciding until that commit is through: a batch is as large as the load asks for, a few records when
little comes, thousands when the worker is behind. Faust's side of it, which calls them, is in `host/`.
"""

from __future__ import annotations

import gc
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, Message, TopicPartition

from botmeter.clock import Clock
from botmeter.contracts.topics import Topics
from botmeter.domain.prices import Rules
from botmeter.domain.sessions import memory_ms
from botmeter.engine.budget import Budget
from botmeter.engine.inputs import Inputs
from botmeter.engine.precedence import CommandEnds, Precedence
from botmeter.engine.restore import Restorer
from botmeter.engine.restoring import Restoring
from botmeter.engine.running_state import RunningState
from botmeter.engine.task import Status, Task
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
from botmeter.metering.pipeline import Decided

log = logging.getLogger(__name__)

#: How long an idle poll waits for a record: bounds how late the timer and a stop are noticed.
_IDLE_POLL_S: Final = 0.2
#: Records read and decided at a time: few enough to stay in the processor's cache, and to notice the end of a commit.
_CHUNK_RECORDS: Final = 2_000
#: How long to wait for records while a commit is under way, before looking whether it has ended.
_GATHER_S: Final = 0.002
#: How long a turn waits for the commands that its chats may follow. One in which something else was decided waits for
#: an answer of the cluster alone, which takes a millisecond.
_HELD_S: Final = 0.2
_ANSWER_S: Final = 0.01
#: The end of the linger is left to the question about the commands.
_ANSWERED_S: Final = 0.001
#: While a commit is under way, what came meanwhile need not be asked about more often.
_ASK_PAUSE_S: Final = 0.01
#: Commits that may fail one after the other before the worker gives up and exits.
_FAILURES_MAX: Final = 10
#: So often may others take over from a worker in so short a time; in a rebalance it happens once.
_MIGRATIONS_MAX: Final = 5
_MIGRATIONS_WITHIN_S: Final = 60.0
#: How long a rebalance waits for the commit under way; within the broker's patience (max.poll.interval.ms).
_REVOKE_BUDGET_S: Final = 30.0
#: How long the cluster may take to tell the leaders of partitions.
_LEADER_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the engine needs to know besides its parts."""

    topics: Topics
    rules: Rules
    batch_records: int
    linger_s: float


@dataclass(frozen=True, slots=True)
class _Share:
    """One task's share of the batch being taken."""

    task: Task
    states: RunningState
    decided: Decided


class Processor:
    """All tasks of one worker. `take` and `submit` are called in turn; `close` ends it."""

    def __init__(
        self,
        settings: EngineSettings,
        make_consumer: Callable[[], Consumer],
        restorer: Restorer,
        timer: Timer,
        transaction: Transaction,
        command_ends: CommandEnds,
        clock: Clock,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._timer = timer
        self._transaction = transaction
        self._consumer = make_consumer()
        self._inputs = Inputs(self._consumer, settings.topics)
        self._precedence = Precedence(command_ends, self._inputs.known_end, clock)
        self._restoring = Restoring(restorer)
        self._budget = Budget(settings.batch_records)
        self._commits = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._in_flight: Future[bool] | None = None
        self._failure: BaseException | None = None
        self._failures = 0
        self._migrations: deque[float] = deque(maxlen=_MIGRATIONS_MAX)
        #: Whether the last turn left something undecided that could have been decided.
        self._is_behind = False
        #: The place of the task that is served first.
        self._first_task = 0
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
        self._restoring.stop()
        self._await_commit()
        self._consumer.close()  # revokes what is assigned, which closes the tasks
        for task in self.tasks.values():
            task.close()
        self.tasks.clear()
        self._timer.close()
        self._precedence.close()
        self._restoring.close()
        self._commits.submit(self._transaction.close)
        self._commits.shutdown()

    @property
    def open_transactions_passed(self) -> int:
        """How often chats were taken although a transaction on the commands had been open for too long."""
        return self._precedence.open_transactions_passed

    @property
    def restore_left(self) -> Mapping[int, int]:
        """How many events of the journal the restores under way have still to read, by partition."""
        return self._restoring.events_left

    # --- A turn ---

    def take(self) -> Batch:
        """Reads and decides what makes up one transaction, and takes over finished restores.

        It ends when the budget is used up, or when nothing waits and no commit is under way: what comes while one is
        could not be committed earlier anyway. Blocks shortly when nothing comes at all. Raises what a rebalance or a
        restore ran into.
        """
        self._take_over_restored()
        running = self._running()
        self._first_task = (self._first_task + 1) % max(1, len(running))  # so that none uses up the budget every time
        running = running[self._first_task :] + running[: self._first_task]
        with ExitStack() as batches:
            shares = [_Share(task, task.states, batches.enter_context(task.states.meter.batch())) for task in running]
            passage = self._take_records(shares)
            is_due = self._roll_cycles(shares)
        self._is_behind = self._is_behind or is_due
        parts = [self._part(share) for share in self._kept(shares)]
        return Batch(parts, self._membership() if parts else None, passage, self._budget.snapshots)

    def _take_records(self, shares: list[_Share]) -> Passage | None:
        """Chunk by chunk; how the oldest record came by."""
        left, passage = self._budget.records, None
        messages, waits = self._first_chunk(), self._clock.deadline(_HELD_S)
        while True:
            polled_at = self._clock.now_ms()
            self._inputs.sort_in(messages)
            if self._failure is not None:
                raise self._failure
            kept = self._kept(shares)
            self._precedence.advance([share.task for share in kept], _ASK_PAUSE_S if self._is_committing else 0.0)
            oldest_at = min((at for share in kept if (at := share.task.oldest_at) is not None), default=None)
            before = left
            for share in kept:
                left -= self._decide(share, left)
            if passage is None and oldest_at is not None and left < before:
                passage = Passage(oldest_at, polled_at, self._clock.now_ms())
            self._is_behind = left <= 0
            if left > 0 and self._is_committing:
                messages = self._consumer.consume(min(left, _CHUNK_RECORDS), timeout=_GATHER_S)
            elif left > 0 and len(messages) >= _CHUNK_RECORDS:
                messages = self._consumer.consume(min(left, _CHUNK_RECORDS), timeout=0)
            elif left > 0 and not waits.is_past and self._holds(kept, _HELD_S if passage is None else _ANSWER_S):
                messages = self._while_held()
            else:
                return passage

    def _holds(self, shares: Iterable[_Share], within_s: float) -> bool:
        return self._precedence.holds((share.task for share in shares), within_s)

    def _while_held(self) -> list[Message]:
        """What comes while chats wait: an answer first, then the commands that it tells of."""
        self._precedence.wait(_GATHER_S)
        first = self._consumer.poll(0 if self._precedence.is_asking else _GATHER_S)
        return [] if first is None else [first, *self._consumer.consume(_CHUNK_RECORDS - 1, timeout=0)]

    def _first_chunk(self) -> list[Message]:
        """Waits for a first record while there is nothing else to do, then shortly for more of its kind."""
        is_busy = self._is_behind or self._is_committing or self._precedence.holds(self._running(), _HELD_S)
        first = self._consumer.poll(0 if is_busy else _IDLE_POLL_S)
        if first is None:
            return []
        linger_s = 0.0 if is_busy else max(0.0, self._settings.linger_s - _ANSWERED_S)
        return [first, *self._consumer.consume(_CHUNK_RECORDS - 1, timeout=linger_s)]

    @property
    def _is_committing(self) -> bool:
        return self._in_flight is not None and not self._in_flight.done()

    def _kept(self, shares: list[_Share]) -> list[_Share]:
        """Those of tasks that no rebalance has taken away meanwhile; the others are not committed."""
        return [share for share in shares if share.task.status is Status.RUNNING]

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
        self._budget.halve()
        log.warning("commit failed, restoring the tasks from the last committed batch: %s", error)
        if isinstance(error, OutcomeUnknown | TaskMigrated):
            self._replace_producer()
        for task in self._running():
            self._consumer.incremental_unassign(self._inputs.forget(task.partition))
            self._begin_restore(task)

    def _require_a_name_of_its_own(self, error: TaskMigrated) -> None:
        """Two workers of one name end each other's producer in turn, and each would come back for ever."""
        now_s = self._clock.monotonic_s()
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
            self._budget.regrow()
            for part in batch.parts:
                self.counts.update(part.decided.counts)
        return is_committed

    def _await_commit(self) -> None:
        """Waits for the commit under way; whether it failed is told to whoever holds its future."""
        if self._in_flight is not None:
            wait_for([self._in_flight], timeout=_REVOKE_BUDGET_S)

    # --- Deciding ---

    def _decide(self, share: _Share, records_max: int) -> int:
        """Decides what can be taken of a task's inputs, up to so many records; how many that were."""
        meter, taken = share.states.meter, 0
        for run, command in share.task.runs(records_max):
            meter.take_interactions(run)
            if command is not None:
                meter.take_command(command)
            taken += len(run) + (command is not None)
        return taken

    def _roll_cycles(self, shares: list[_Share]) -> bool:
        """The timer; whether there are more cycles to roll than one transaction should hold."""
        left, is_due = self._budget.cycles, False
        for share in self._kept(shares):
            self._timer.advance(share.task, self._clock.now_ms())
            state = share.states.meter.state
            # Records still unread have timestamps at or after the last taken; ahead of the log goes only the timer.
            tick_at = max(state.stream_time, share.task.timer_at)
            left -= share.states.meter.tick(tick_at, left)
            is_due = is_due or state.is_due(tick_at)
        self._inputs.throttle(share.task for share in self._kept(shares))
        return is_due

    def _part(self, share: _Share) -> Part:
        return Part(
            states=share.states,
            decided=share.decided,
            interactions_position=share.task.interactions.position,
            commands_position=share.task.commands.position,
            forget_before=share.states.meter.state.stream_time - memory_ms(self._settings.rules),
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
            self._restoring.abandon(number)
            self._precedence.forget(number)
            if task is None:
                continue
            if task.status is Status.RUNNING:
                assigned += self._inputs.forget(number)
            task.close()
        self._consumer.incremental_unassign(assigned)

    def _begin_restore(self, task: Task) -> None:
        task.restore()
        self._precedence.forget(task.partition)
        self._restoring.begin(task.partition)

    def _take_over_restored(self) -> None:
        for number, restored in self._restoring.finished():
            task = self.tasks[number]
            task.run(restored)
            self._inputs.assign(task)
            gc.freeze()  # what was restored stays; the collector need not walk it again and again


#: What a failed commit may raise for `Processor.recover`; anything else is a bug or needs a person.
RECOVERABLE: Final = (TransactionAborted, TaskMigrated, Retriable)
