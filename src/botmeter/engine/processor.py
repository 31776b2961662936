"""The worker's engine: consume, decide, commit. `membership.py` handles rebalances, failures and rescues.

One turn is `take`, which reads and decides, then `submit`. The commit of a turn overlaps the `take` of the next, which
reads and decides until that commit is complete. So a batch is a few records under low load and thousands when the
worker is behind. The Faust side, which calls both, is in `host/`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, Message

from botmeter.clock import Clock
from botmeter.contracts.topics import Topics
from botmeter.domain.prices import Rules
from botmeter.domain.sessions import memory_ms
from botmeter.engine.batch import Batch, Commit, Part, Passage
from botmeter.engine.broker_time import BrokerTime
from botmeter.engine.budget import Allowance, Budget
from botmeter.engine.dead_letter_limit import NEVER_PERCENT, DeadLetterLimit
from botmeter.engine.failure import failed_record, is_bug, is_for_all
from botmeter.engine.lag import Lag, LagWatch
from botmeter.engine.membership import Membership
from botmeter.engine.namesake import Namesake
from botmeter.engine.precedence import CommandEnds, Precedence
from botmeter.engine.restore import Restorer
from botmeter.engine.restoring import Restoring
from botmeter.engine.share import Share
from botmeter.engine.task import Status, Task
from botmeter.engine.timer import Timer
from botmeter.engine.traced import FindTraced, find_none
from botmeter.engine.transaction import Transaction
from botmeter.errors import (
    BotmeterError,
    Forgotten,
    InstanceTaken,
    OutcomeUnknown,
    PartitionFailed,
    Retriable,
    TaskCorrupted,
    TaskMigrated,
    TransactionAborted,
)
from botmeter.kafka import questions
from botmeter.kafka.topic_watch import TopicWatch

log = logging.getLogger(__name__)

#: How long an idle poll waits for a record: the limit of the delay of the timer and of a stop.
_IDLE_POLL_S: Final = 0.2
#: Records read and decided at a time: few enough to stay in the processor's cache, and to notice the end of a commit.
_CHUNK_RECORDS: Final = 2_000
#: How long to wait for records during a commit before checking whether it has ended.
_GATHER_S: Final = 0.002
#: How long a turn waits for the commands before its chats. A turn that has decided other records only waits for a
#: response of the cluster, which takes a millisecond.
_HELD_S: Final = 0.2
_RESPONSE_S: Final = 0.01
#: The end of the linger is left to the query about the commands.
_QUERY_S: Final = 0.001
#: During a commit, queries about the commands need not be more frequent.
_ASK_PAUSE_S: Final = 0.01
#: Consecutive commits that may fail before the worker exits.
_FAILURES_MAX: Final = 10
#: How long a rebalance waits for the commit in progress; below the limit of max.poll.interval.ms.
_REVOKE_BUDGET_S: Final = 30.0
#: How long the cluster may take to return the leaders of partitions.
_LEADER_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The settings of the engine."""

    topics: Topics
    rules: Rules
    #: The fixed number of partitions of each topic.
    partitions: int
    batch_records: int
    linger_s: float
    #: The worker's name.
    name: str
    #: The percentage of a minute's records that may become dead letters before their partition fails; 100: no limit.
    dead_letter_percent: int = NEVER_PERCENT
    #: Finds the records for which spans are created.
    find_traced: FindTraced = find_none


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
        topics_watched: TopicWatch,
        clock: Clock,
        lag: LagWatch,
    ) -> None:
        self._settings, self._clock, self._make_consumer = settings, clock, make_consumer
        self._timer, self._topics_watched = timer, topics_watched
        self._transaction, self._lag = transaction, lag
        self._restoring, self._namesake = Restoring(restorer, clock), Namesake(clock)
        self._precedence = Precedence(
            command_ends, lambda number: self._inputs.known_end(number), clock  # noqa: PLW0108 - of the present consumer
        )  # fmt: skip
        self._create_member()
        self._budget = Budget(settings.batch_records)
        self._letters = DeadLetterLimit(settings.dead_letter_percent, clock.monotonic_s)
        self._commits = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._in_flight: Future[Commit] | None = None
        self._failures = 0
        #: Whether the last turn left records undecided that could have been decided.
        self._is_behind = False
        #: The index of the task that is served first.
        self._first_task = 0
        #: The number of decisions since the start, by outcome and dead-letter reason.
        self.counts: Counter[str] = Counter()

    def _create_member(self) -> None:
        """Creates the consumer, which has not joined the group yet."""
        self._consumer, own, broker_time = self._make_consumer(), self._settings, self._timer.broker_time
        self._members = Membership(
            self._consumer, own.topics, own.partitions, own.name, self._restoring, broker_time, self._clock
        )
        self._members.await_commit, self._members.on_unassigned = self._await_commit, self._precedence.forget
        self._inputs = self._members.inputs

    def open(self) -> None:
        """Opens the producer and joins the group. Raises ClusterError, or Retriable when there is no response."""
        self._commits.submit(self._transaction.open).result()
        # Joining finds the leaders of the subscribed topic; the client looks for those of the other once a second.
        commands = self._settings.topics.commands.name
        questions.retried(lambda: self._consumer.list_topics(commands, timeout=_LEADER_S), commands)
        self._members.join()
        # A partition that one input was given later is not there in the other, and would spoil the answer for all.
        own = self._settings.partitions
        self._lag.start(lambda: [number for number in dict(self._members.tasks) if number < own])

    def close(self) -> None:
        """Waits for the commit in progress, leaves the group, closes stores and producer."""
        self._restoring.stop()
        self._lag.stop()
        self._await_commit()
        self._members.leave()
        self._timer.close()
        self._precedence.close()
        self._topics_watched.close()
        self._restoring.close()
        self._commits.submit(self._transaction.close)
        self._commits.shutdown()

    @property
    def tasks(self) -> Mapping[int, Task]:
        """The tasks of the partitions that the group assigns to this worker."""
        return self._members.tasks

    @property
    def broker_time(self) -> BrokerTime:
        """The brokers' time, and whether the worker's clock agrees with it."""
        return self._timer.broker_time

    @property
    def open_transactions_passed(self) -> int:
        """How often chats were taken although a transaction on the commands had been open for too long."""
        return self._precedence.open_transactions_passed

    @property
    def lags(self) -> Mapping[int, Lag]:
        """The last known lag of each partition."""
        return self._lag.lags

    @property
    def restore_left(self) -> Mapping[int, int]:
        """The number of journal events that running restores have still to read, by partition."""
        return self._members.restore_left

    # --- A turn ---

    def take(self) -> Batch:
        """Reads and decides the records of one transaction, and takes over finished restores.

        It ends when the budget is used up, or when no record waits and no commit is in progress: records that arrive
        during a commit could not be committed earlier anyway. Blocks briefly when no record arrives. A partition that
        cannot continue fails alone. Raises errors of rebalances, and errors that concern all partitions.
        """
        self._topics_watched.check()
        self._members.update_tasks()
        running = self._members.running
        self._first_task = (self._first_task + 1) % max(1, len(running))  # so that no task always uses up the budget
        in_turn = running[self._first_task :] + running[: self._first_task]
        shares = [Share.of(task, self._settings.find_traced) for task in in_turn]
        try:
            passage = self._take_records(shares)
        except InstanceTaken as taken:
            self._join_again(taken)
            return Batch([], None, self._budget.snapshots())
        is_due = self._roll_cycles(shares)
        for share in self._kept(shares):
            self._guarded(share, share.batch.close)
            share.task.suspects = max(0, share.task.suspects - share.taken)
        self._is_behind = self._is_behind or is_due
        for share in self._kept(shares):
            if (failure := self._letters.passed(share.task.partition, share.decided.counts)) is not None:
                self._members.fail(share.task, failure)
        parts = [self._part(share) for share in self._kept(shares)]
        return Batch(parts, self._members.metadata() if parts else None, self._budget.snapshots(), passage)

    def _join_again(self, taken: InstanceTaken) -> None:
        """Joins with a new consumer: the group may have forgotten a dead namesake by then.

        Raises InstanceTaken when it has not in time, and when this worker was a member: then another one runs.
        """
        if self._members.has_joined:
            raise taken
        self._namesake.await_end(taken)
        self._members.leave()
        self._create_member()
        self._members.join()

    def _take_records(self, shares: list[Share]) -> Passage | None:
        """Reads and decides chunk by chunk; returns the times of the oldest record."""
        left, passage = self._budget.records(), None
        messages, hold = self._first_chunk(), self._clock.deadline(_HELD_S)
        while True:
            polled_at = self._clock.now_ms()
            self._inputs.distribute(messages)
            self._members.require_sound()
            kept = self._kept(shares)
            self._precedence.advance([share.task for share in kept], _ASK_PAUSE_S if self._is_committing else 0.0)
            oldest_at = min((at for share in kept if (at := share.task.oldest_at) is not None), default=None)
            before = left.records
            for share in kept:
                self._decide(share, left)
            self._inputs.throttle(share.task for share in self._kept(kept))
            if passage is None and oldest_at is not None and left.records < before:
                passage = Passage(oldest_at, polled_at, self._clock.now_ms())
            self._is_behind, within_s = left.is_used_up, _HELD_S if passage is None else _RESPONSE_S
            if left.is_used_up:
                return passage
            if self._is_committing:
                messages = self._consumer.consume(min(left.records, _CHUNK_RECORDS), timeout=_GATHER_S)
            elif len(messages) >= _CHUNK_RECORDS:
                messages = self._consumer.consume(min(left.records, _CHUNK_RECORDS), timeout=0)
            elif not hold.is_past and self._precedence.holds(self._members.running, within_s):
                messages = self._poll_while_held()
            else:
                return passage

    def _poll_while_held(self) -> list[Message]:
        """Polls while chats wait: first for the response about the commands, then for the commands."""
        self._precedence.wait(_GATHER_S)
        first = self._consumer.poll(0 if self._precedence.has_query else _GATHER_S)
        return [] if first is None else [first, *self._consumer.consume(_CHUNK_RECORDS - 1, timeout=0)]

    def _first_chunk(self) -> list[Message]:
        """Waits for a first record while there is nothing else to do, then briefly for more records."""
        is_busy = self._is_behind or self._is_committing or self._precedence.holds(self._members.running, _HELD_S)
        first = self._consumer.poll(0 if is_busy else _IDLE_POLL_S)
        if first is None:
            return []
        linger_s = 0.0 if is_busy else max(0.0, self._settings.linger_s - _QUERY_S)
        return [first, *self._consumer.consume(_CHUNK_RECORDS - 1, timeout=linger_s)]

    @property
    def _is_committing(self) -> bool:
        return self._in_flight is not None and not self._in_flight.done()

    def _kept(self, shares: list[Share]) -> list[Share]:
        """Returns the shares of tasks that still run after rebalances and failures; the others are not committed."""
        return [share for share in shares if share.task.status is Status.RUNNING]

    def submit(self, batch: Batch) -> Future[Commit]:
        """Commits the batch on the commit thread; the previous commit must be complete."""
        self._in_flight = self._commits.submit(self._commit, batch)
        return self._in_flight

    def recover(self, error: BotmeterError) -> None:
        """Recovers from a failed commit: drops the decisions since the last successful one, and restores the tasks.

        Raises the error itself when commits keep failing, unless they fail because the group forgot the worker.
        """
        if isinstance(error, Forgotten):
            self._members.was_forgotten(error)
        else:
            self._failures += 1
        if self._failures > _FAILURES_MAX:
            raise error
        if isinstance(error, TaskMigrated):
            self._members.was_fenced(error)
        self._budget.halve()
        self._in_flight = None
        log.warning("commit failed, restoring the tasks from the last committed batch: %s", error)
        if isinstance(error, OutcomeUnknown | TaskMigrated):
            self._commits.submit(self._transaction.reopen).result()
        if isinstance(error, PartitionFailed) and error.partition in self.tasks:
            failed = failed_record(error.partition, None, error.error)
            self._members.fail(self.tasks[error.partition], failed, error.error)
        for task in self._members.running:
            self._members.restore(task)

    def _commit(self, batch: Batch) -> Commit:
        began_s = self._clock.monotonic_s()
        is_transaction = self._transaction.commit(batch)
        if is_transaction:
            self._failures = 0
            self._budget.regrow()
            for part in batch.parts:
                self.counts.update(part.decided.counts)
        return Commit(batch, is_transaction, self._clock.monotonic_s() - began_s, self._clock.now_ms())

    def _await_commit(self) -> bool:
        """Waits for the commit in progress, whose error stays in its future; returns whether all is committed."""
        commit = self._in_flight
        if commit is not None:
            wait_for([commit], timeout=_REVOKE_BUDGET_S)
        return commit is None or (commit.done() and commit.exception() is None)

    # --- Deciding ---

    def _decide(self, share: Share, left: Allowance) -> None:
        """Decides the records of a task that can be taken, within the allowance, and subtracts them from it."""
        if left.is_used_up:
            return
        records, taken, written = min(left.records, share.left), share.taken, len(share.decided.outputs)
        if self._budget.is_cut:  # computing the size of each record is only worth it after a failure
            records = min(records, share.task.fitting(left.bytes))
        self._guarded(share, lambda: share.take(records))
        left.use(share.taken - taken, share.bytes_from(written))

    def _roll_cycles(self, shares: list[Share]) -> bool:
        """Rolls due cycles; returns whether more are due than fit into one transaction."""
        left, is_due = self._budget.cycles, False
        for share in self._kept(shares):
            self._timer.advance(share.task)
            state = share.states.meter.state
            # Unread records have timestamps at or after the last one taken; only the timer runs ahead of the log.
            tick_at = max(state.stream_time, share.task.timer_at)
            left -= self._guarded(share, lambda: share.states.meter.tick(tick_at, left)) or 0  # noqa: B023 - at once
            is_due = is_due or state.is_due(tick_at)
        return is_due

    def _guarded(self, share: Share, step: Callable[[], int | None]) -> int | None:
        """Returns the step's result. An error concerns only the share's partition, unless `is_for_all`."""
        try:
            return step()
        except Exception as error:
            if is_for_all(error):
                raise
            self._drop(share, error)
            return None

    def _drop(self, share: Share, error: Exception) -> None:
        """Drops a share that cannot be completed, and restores or fails its partition.

        After a restore fewer records are taken at a time, until only the one that fails is left, and those before it
        are committed. So all records before it are metered, and the failure names it.
        """
        task = share.task
        if isinstance(error, TaskCorrupted):
            log.warning("partition %d: %s; restoring it", task.partition, error)
            self._members.restore(task)
        elif share.taken > 1:
            log.error(
                "partition %d: one of %d records cannot be taken, taking fewer at a time: %s",
                task.partition, share.taken, error, exc_info=error if is_bug(error) and not task.suspects else None,
            )  # fmt: skip
            task.suspects = share.taken
            self._members.restore(task)
        elif not self._await_commit():
            self._members.restore(task)
        else:
            self._members.fail(task, failed_record(task.partition, share.last, error), error)

    def _part(self, share: Share) -> Part:
        state = share.states.meter.state
        return Part(
            states=share.states,
            decided=share.decided,
            interactions_position=share.task.interactions.position,
            commands_position=share.task.commands.position,
            sweep_before=state.stream_time - memory_ms(self._settings.rules),
            stamped=state.soonest() if self._timer.needs_time(share.task) else {},
            traced=share.traced,
        )


#: The errors of a commit that `Processor.recover` handles; any other is a bug or needs an operator.
RECOVERABLE: Final = (TransactionAborted, TaskMigrated, Retriable, TaskCorrupted, PartitionFailed)
