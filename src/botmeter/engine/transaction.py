"""The commit protocol: one Kafka transaction contains the outputs of a micro-batch and the offsets of its inputs.

1. choose the snapshots that are due
2. begin the transaction
3. produce the outputs of each partition, then its snapshots
4. flush: every record is acknowledged; the journal's new end offsets are known
5. send the input offsets to the transaction; at the first commit after a restore, check for a new rescue
6. commit
7. write the local stores, each with the journal offset it now reflects

A failure before 6 aborts the transaction. When 6 gets no response in time, the outcome is unknown: a new producer of
the same transactional id completes or aborts the old transaction, and the restored journal shows which. A crash between
6 and 7 only leaves a store behind its journal, and the next start reads the missing events.

All of it runs on one thread, since transactional calls must not overlap; step 5 on one that may be left behind.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import Any, Final, NoReturn

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from botmeter.clock import Clock, Deadline
from botmeter.contracts import encoding
from botmeter.contracts.topics import Topics
from botmeter.domain.account import Account
from botmeter.engine.batch import Batch, Part
from botmeter.engine.broker_time import BrokerTime
from botmeter.engine.budget import Allowance
from botmeter.engine.producing import OnDelivery, flush, put_all
from botmeter.engine.running_state import RunningState
from botmeter.errors import (
    BotmeterError,
    Forgotten,
    OutcomeUnknown,
    PartitionFailed,
    Retriable,
    TaskMigrated,
    TransactionAborted,
)
from botmeter.kafka.bounded import within
from botmeter.kafka.errors import Catchable, cause, classify
from botmeter.metering.pipeline import Decided
from botmeter.metering.records import LOG_APPEND_TIME, Output

log = logging.getLogger(__name__)

#: Pause before a retriable call is repeated.
_RETRY_PAUSE_S: Final = 0.05
#: Pause between two attempts to open a new producer.
_OPEN_PAUSE_S: Final = 0.5
#: The limit of a record in the snapshots topic (8 MiB), less what is stored besides the account.
SNAPSHOT_MAX_BYTES: Final = 8 * 1024 * 1024 - 64 * 1024
#: A group expires offsets that were not committed for offsets.retention.minutes, a week by default, in topics that no
#: member subscribes to, such as the commands. So the offsets of idle partitions are committed again after this time.
OFFSETS_AGE_MAX_S: Final = 3_600.0
#: The client aborts and flushes without a timeout before it closes a producer, and after an outage may never return.
_CLOSE_S: Final = 3.0
#: Windows checked after each commit, to drop expired ones: a slow scan of the whole store.
_SWEEP_WINDOWS: Final = 200


@dataclass(frozen=True, slots=True)
class _Work:
    """A part, the accounts whose snapshots are written, `due`, and the journal offset that these carry, `floor`."""

    part: Part
    #: The changed and the due accounts; each is encoded once, for the store and for its snapshot.
    encoded: Mapping[bytes, bytes]
    due: Mapping[bytes, Account]
    floor: int


class Transaction:
    """Commits batches one after another by the protocol above."""

    def __init__(
        self,
        make_producer: Callable[[Callable[[], None]], Producer],
        topics: Topics,
        timeout_s: float,
        broker_time: BrokerTime,
        clock: Clock,
        rules_end: Callable[[], int],
    ) -> None:
        """`make_producer` gets a callback, which polling calls when the producer has lost a connection.

        `timeout_s`: how long one transaction may take; the broker also aborts it after this time.

        `rules_end` queries the end of the log of the rules and rescues, including open transactions.
        """
        self._make_producer, self._rules_end = make_producer, rules_end
        self._broker_time, self._clock = broker_time, clock
        self._topics = topics
        self._timeout_s = timeout_s
        self._producer: Producer | None = None
        #: Whether a request of the producer may still reach the broker a second time. It would then count for the
        #: transaction open at that time, since all requests of a producer carry one epoch. A new producer has another.
        self._may_echo = False
        #: Whether the producer has lost a connection since this was last reset.
        self._has_lost_connection = False

    def open(self) -> None:
        """Opens a new producer; ends the transaction that an earlier one of the same transactional id left open.

        Raises the error classes of `classify`.
        """
        self.close()
        producer = self._make_producer(self._note_loss)
        deadline = self._clock.deadline(max(self._timeout_s * 2, 30.0))
        _resumed(lambda: producer.init_transactions(_REQUEST_S), deadline)
        self._producer, self._may_echo = producer, False

    def reopen(self) -> None:
        """Like `open`, but retries until the cluster responds: nothing can be committed before, and nothing is lost."""
        while True:
            try:
                return self.open()
            except (Retriable, OutcomeUnknown) as error:
                log.warning("no new producer yet, trying again: %s", error)
            self._clock.sleep(_OPEN_PAUSE_S)

    def close(self) -> None:
        """Closes the producer. An open transaction is aborted: by the producer, its successor or the broker."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        closing = Thread(target=_close, args=[producer], name="close-producer", daemon=True)
        closing.start()
        closing.join(_CLOSE_S)
        if closing.is_alive():
            log.warning("the producer does not close and is left behind; the next one of its name fences it")

    def commit(self, batch: Batch) -> bool:
        """Runs steps 1 to 7; returns False when there was nothing to commit.

        Raises TransactionAborted (aborted), OutcomeUnknown or TaskMigrated (the producer must be reopened), Forgotten
        and PartitionFailed (aborted, or not begun). After an error nothing of the batch may be kept in memory.
        """
        now_s = self._clock.monotonic_s()
        chosen = _with_snapshots(batch, now_s)  # 1
        work = [w for w in chosen if w.part.decided.outputs or w.due or _has_uncommitted_offsets(w.part, now_s)]
        if not work:
            return False
        if batch.group_metadata is None:
            raise Forgotten("the group does not know this worker any more; nothing of the batch is committed")
        journal_ends = self._transact(work, batch.group_metadata)  # 2 to 6
        for w in work:  # 7
            part = w.part
            journal_end = journal_ends.get(part.decided.partition)
            part.states.commit(part.decided.changes, w.encoded, w.due, part.positions, journal_end, now_s)
            part.states.store.sweep(part.sweep_before, _SWEEP_WINDOWS)
        return True

    def _transact(self, work: Sequence[_Work], group_metadata: Any) -> dict[int, int]:
        """Runs steps 2 to 6; returns the new ends of the journal, by partition."""
        if self._may_echo:
            # The caller opens a new producer and restores. Only then has the group a coordinator again: sending offsets
            # by a new producer while the lost one has no successor yet hangs in the client.
            raise OutcomeUnknown("a connection was lost, or a response was late: the producer has to be replaced")
        producer = self._producer
        if producer is None:
            raise OutcomeUnknown("there is no producer")
        deadline = self._clock.deadline(self._timeout_s)
        # Only for this transaction: an abandoned producer may still report deliveries of its own records.
        journal_ends: dict[int, int] = {}
        try:
            with Catchable():
                producer.begin_transaction()  # 2
                for w in work:  # 3
                    self._produce(producer, w.part.decided, partial(_delivered, journal_ends), deadline)
                    self._produce_snapshots(producer, w, deadline)
                flush(producer, deadline)  # 4
                offsets = [offset for w in work for offset in self._offsets(w.part)]
                send = partial(producer.send_offsets_to_transaction, offsets, group_metadata, _REQUEST_S)
                self._ask(producer, partial(self._send, deadline, send), deadline)  # 5
                self._require_not_rescued([w.part.states for w in work])
                self._ask(producer, partial(producer.commit_transaction, _REQUEST_S), deadline)  # 6
        except (KafkaException, SystemError) as exception:
            self._give_up(producer, classify(cause(exception)), deadline)
        except BotmeterError as error:
            self._give_up(producer, error, deadline)
        return journal_ends

    def _note_loss(self) -> None:
        self._has_lost_connection = True

    def _require_not_rescued(self, states: Sequence[RunningState]) -> None:
        """Raises TransactionAborted if the log of rescues has grown since a restore, at its first commit.

        A worker sends its offsets first and then checks the log; a rescue writes its message first and then waits for
        offsets that a worker has sent. So at least one of the two sees the other (decision 13).
        """
        known = [each.rules_end for each in states if each.committed is None]
        if known and self._rules_end() > min(known):
            raise TransactionAborted("a partition was rescued since its last restore, which has to be repeated")

    def _ask(self, producer: Producer, call: Callable[[], object], deadline: Deadline) -> None:
        """Makes a transactional call, like `_resumed`; notes whether its request may reach the broker a second time.

        The client repeats a request by itself when it loses the connection before the response. A loss at any other
        time is harmless: then no request is in flight that would count for a later transaction.
        """
        producer.poll(0)  # reports earlier losses
        self._has_lost_connection = False
        try:
            self._may_echo = _resumed(call, deadline) or self._may_echo
        finally:
            producer.poll(0)
            self._may_echo = self._may_echo or self._has_lost_connection

    def _send(self, deadline: Deadline, send: Callable[[], object]) -> None:
        """Sends the offsets, a call that may never come back: past the deadline, the broker aborts in any case."""
        try:
            within(deadline.left_s, send, "sending the offsets")
        except OutcomeUnknown:
            self._producer = None  # left behind
            raise

    def _give_up(self, producer: Producer, error: BotmeterError, deadline: Deadline) -> NoReturn:
        """Aborts the transaction if possible, and raises the error by which the caller recovers."""
        if isinstance(error, TaskMigrated) and deadline.is_past:
            # A broker that aborts an expired transaction fences its producer, as another worker of its name would.
            raise OutcomeUnknown(f"the transaction took longer than {self._timeout_s:g} s: {error}") from error
        if isinstance(error, OutcomeUnknown | TaskMigrated):
            raise error
        try:
            with Catchable():
                abort = partial(producer.abort_transaction, _REQUEST_S)
                self._ask(producer, abort, self._clock.deadline(self._timeout_s))
        except (KafkaException, BotmeterError) as failed:  # an abort can itself be fatal
            raise OutcomeUnknown(f"the transaction could not be aborted: {failed}") from error
        if isinstance(error, TransactionAborted):
            raise error
        if isinstance(error, Retriable):
            raise TransactionAborted(str(error)) from error
        raise error

    def _produce(self, producer: Producer, decided: Decided, on_journal: OnDelivery, deadline: Deadline) -> None:
        partition, outputs, journal = decided.partition, decided.outputs, self._topics.journal.name
        # Only the last record of the journal requests a delivery report, since each report has a cost.
        last = next((i for i in reversed(range(len(outputs))) if outputs[i].topic == journal), -1)
        put_all(producer, partition, outputs[: max(last, 0)], None, deadline)
        put_all(producer, partition, outputs[max(last, 0) : last + 1], on_journal, deadline)
        put_all(producer, partition, outputs[last + 1 :], None, deadline)

    def _produce_snapshots(self, producer: Producer, work: _Work, deadline: Deadline) -> None:
        last = next(reversed([*work.due]), None)  # only this one requests a delivery report
        for key, account in work.due.items():
            value = encoding.encode_snapshot(account, work.encoded[key], work.floor)
            output = Output(self._topics.snapshots.name, key, value, [])
            on_delivery = self._stamped if key == last else None
            put_all(producer, work.part.decided.partition, [output], on_delivery, deadline)

    def _stamped(self, error: KafkaError | None, message: Message) -> None:
        """Takes the brokers' time from the delivery report of a snapshot."""
        kind, timestamp = message.timestamp()
        if error is None and kind == LOG_APPEND_TIME:
            self._broker_time.answer(timestamp)
        elif error is None:
            self._broker_time.refuse(self._topics.snapshots.name)

    def _offsets(self, part: Part) -> list[TopicPartition]:
        partition = part.decided.partition
        return [
            TopicPartition(self._topics.interactions.name, partition, part.interactions_position),
            TopicPartition(self._topics.commands.name, partition, part.commands_position),
        ]


#: Timeout of one attempt of a transactional call; it is repeated until the transaction's own deadline.
_REQUEST_S: Final = 2.0


def _delivered(ends: dict[int, int], error: KafkaError | None, message: Message) -> None:
    """Notes the end of the journal; an error is ignored here, because it fails the transaction."""
    partition, offset = message.partition(), message.offset()
    if error is None and partition is not None and offset is not None:
        ends[partition] = offset + 1


def _close(producer: Producer) -> None:
    try:
        producer.close()
    except (KafkaException, SystemError) as exception:
        # A fenced or failed producer cannot abort: the next producer of its id does, or the broker after the timeout.
        log.info("the producer is gone: %s", classify(cause(exception)))


def _resumed(call: Callable[[], object], deadline: Deadline) -> bool:
    """Repeats a call while its error is retriable; raises OutcomeUnknown past the deadline.

    Returns whether the call was made more than once.
    """
    is_again = False
    while True:
        try:
            call()
        except KafkaException as exception:
            error = classify(cause(exception))
            if not isinstance(error, Retriable):
                raise error from exception
            if deadline.is_past:
                raise OutcomeUnknown(f"no answer in time: {error}") from exception
            is_again = True
            deadline.clock.sleep(_RETRY_PAUSE_S)
        else:
            return is_again


def _has_uncommitted_offsets(part: Part, now_s: float) -> bool:
    return part.states.committed != part.positions or now_s - part.states.committed_s >= OFFSETS_AGE_MAX_S


def _with_snapshots(batch: Batch, now_s: float) -> list[_Work]:
    """Returns each part with its due snapshots, within the limit of the batch over all parts."""
    work = []
    for part in batch.parts:
        try:
            work.append(_with_due(part, now_s, batch.snapshots))
        except Exception as error:
            raise PartitionFailed(part.decided.partition, error) from error
    return work


def _with_due(part: Part, now_s: float, left: Allowance) -> _Work:
    """Returns the part with its due snapshots, as far as the allowance reaches, and subtracts them from it."""
    states, changed = part.states, part.decided.changes.accounts
    states.snapshots.note(changed, states.journal_offset)
    states.snapshots.note(part.stamped, states.journal_offset)
    encoded, due = {key: encoding.encode_account(account) for key, account in changed.items()}, {}
    for key, account in states.snapshots.due(now_s, max(0, left.records)).items():
        if left.is_used_up:
            break
        value = encoded.get(key) or encoding.encode_account(account)
        if len(value) > SNAPSHOT_MAX_BYTES:
            states.snapshots.postpone([key], now_s)
            log.warning(
                "account %s: %d bytes of state are too many for a snapshot; a cold restore will read the journal "
                "instead", account.account_id, len(value),
            )  # fmt: skip
            continue
        encoded[key], due[key] = value, account
        left.use(1, len(value))
    return _Work(part, encoded, due, states.snapshots.floor(states.journal_offset, excluding=due))
