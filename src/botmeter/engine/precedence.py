"""Commands before chats: a chat is taken only after every command that was acknowledged before it was sent.

The end of a partition that the client knows may be out of date: it was the end when the broker last responded. So the
worker queries the end offset of the commands. Every chat that was in the log *before the query* may be taken once the
commands are read up to the returned offset, merged by timestamp: a command acknowledged before such a chat was sent
lies below that offset. While a command waits, chats older than it are taken first, and no query is needed.

One query covers all tasks that need one, and overlaps the current commit. One response covers a whole backlog, since
the client knows how far the interactions reach before it has read them.

The response is a high watermark, which includes the records of open transactions. A transaction that stays open holds
chats back for two seconds; then they are taken without its commands, which are not committed yet.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Final

from confluent_kafka import KafkaException

from botmeter.clock import Clock
from botmeter.engine.task import Proof, Task
from botmeter.errors import Retriable
from botmeter.kafka.errors import cause, classify
from botmeter.kafka.questions import PASSES_WITHIN, Answer, Answers

log = logging.getLogger(__name__)

#: How long an open transaction on the commands holds chats back.
OPEN_TRANSACTION_S: Final = 2.0
#: A response takes a millisecond. After this time, partitions are queried one by one, so that a leader that does not
#: respond does not delay the others.
_RESPONSE_S: Final = 0.05
#: For how long partitions are queried one by one.
_ONE_BY_ONE_S: Final = 10.0
#: Pause after a query that failed.
_PAUSE_S: Final = 0.1
#: Minimum time between two warnings about a waiting partition.
_LOG_EVERY_S: Final = 10.0


#: Queries offsets of the commands, by partition, and returns at once.
Ask = Callable[[Sequence[int]], Answers]


@dataclass(frozen=True, slots=True)
class CommandEnds:
    """The queries about the commands."""

    #: Returns the high watermarks, which include records of open transactions.
    high: Ask
    #: Returns the last stable offsets: where the first open transaction begins, else the high watermark.
    stable: Ask
    #: Looks up the leaders again, after one did not respond; may take seconds.
    find_leaders: Callable[[], object]


@dataclass(frozen=True, slots=True)
class _Query:
    """A query for `tasks` at `asked_s` of the monotonic clock; chats below `chats_below` were in the log by then."""

    asked_s: float
    tasks: Sequence[Task]
    chats_below: Sequence[int]
    answers: Answers

    @property
    def is_answered(self) -> bool:
        return all(answer.done() for answer in self.answers.values())


class Precedence:
    """Commands before chats, for all tasks of one worker. Used by the polling thread; only `wait` blocks."""

    def __init__(self, ends: CommandEnds, known_end: Callable[[int], int], clock: Clock) -> None:
        """`known_end`: returns the end of a partition's interactions that the client knows, a lower bound."""
        self._ends, self._known_end, self._clock = ends, known_end, clock
        self._queries: list[_Query] = []
        self._one_by_one_until_s = self._asked_s = float("-inf")
        self._leaders_thread = ThreadPoolExecutor(1, thread_name_prefix="leaders")
        self._leaders_lookup: Future[object] | None = None
        self._not_before_s = float("-inf")
        self._logged_s: dict[int, float] = {}
        #: By partition: the first offset of the open transaction that chats were taken past.
        self._passed: dict[int, int] = {}
        #: How often chats were taken although a transaction on the commands was open.
        self.open_transactions_passed = 0

    def close(self) -> None:
        """Ends the thread."""
        self._leaders_thread.shutdown(cancel_futures=True)

    def forget(self, partition: int) -> None:
        """Drops what is known of a partition that is restored or was revoked."""
        self._passed.pop(partition, None)
        self._logged_s.pop(partition, None)

    @property
    def has_query(self) -> bool:
        """Whether a query is in progress."""
        return bool(self._queries)

    def wait(self, seconds: float) -> None:
        """Waits for a response, at most this long."""
        answers = (answer for query in self._queries for answer in query.answers.values())
        wait([answer for answer in answers if not answer.done()], seconds, FIRST_COMPLETED)

    def holds(self, tasks: Iterable[Task], within_s: float) -> bool:
        """Whether chats wait for a response, or for the commands up to one, whose query is at most `within_s` old."""
        now_s = self._clock.monotonic_s()
        asked_s = {task.partition: query.asked_s for query in self._queries for task in query.tasks}
        return any(
            now_s - (task.proof.asked_s if task.proof else asked_s.get(task.partition, now_s)) <= within_s
            for task in tasks
            if task.is_held
        )

    def advance(self, tasks: Sequence[Task], pause_s: float) -> None:
        """Takes the responses that have arrived, and starts the queries that are needed, at most every `pause_s`.

        Raises ClusterError when the cluster refuses a query.
        """
        now_s = self._clock.monotonic_s()
        self._take_answers(now_s)
        for task in tasks:
            self._check_open_transaction(task, now_s)
        queried = {task.partition for query in self._queries for task in query.tasks}
        if now_s < self._not_before_s or now_s - self._asked_s < pause_s:
            return
        self._ask([task for task in tasks if task.needs_proof and task.partition not in queried], now_s)

    # --- Queries ---

    def _ask(self, tasks: Sequence[Task], now_s: float) -> None:
        if not tasks:
            return
        self._asked_s = now_s
        for group in [[task] for task in tasks] if now_s < self._one_by_one_until_s else [tasks]:
            below = [max(task.interactions.read_to, self._known_end(task.partition)) for task in group]
            answers = self._ends.high([task.partition for task in group])
            self._queries.append(_Query(now_s, group, below, answers))

    def _take_answers(self, now_s: float) -> None:
        for query in list(self._queries):
            if query.is_answered:
                self._queries.remove(query)
                for task, below in zip(query.tasks, query.chats_below, strict=True):
                    if (end := self._offset_of(query.answers[task.partition], task.partition, now_s)) is not None:
                        task.proof = Proof(below, end, query.asked_s)
            elif len(query.tasks) > 1 and now_s - query.asked_s > _RESPONSE_S:
                self._queries.remove(query)
                self._one_by_one_until_s = now_s + _ONE_BY_ONE_S

    def _offset_of(self, answer: Answer, partition: int, now_s: float) -> int | None:
        try:
            return answer.result().offset
        except KafkaException as exception:
            error = classify(fault := cause(exception), "the commands")
            if not isinstance(error, Retriable) and fault.code() not in PASSES_WITHIN:
                raise error from exception
            self._warn(partition, now_s, f"chats wait, the cluster does not tell where the commands end: {error}")
        self._not_before_s = now_s + _PAUSE_S
        if self._leaders_lookup is None or self._leaders_lookup.done():
            self._leaders_lookup = self._leaders_thread.submit(self._ends.find_leaders)
        return None

    # --- Chats that wait ---

    def _check_open_transaction(self, task: Task, now_s: float) -> None:
        """Checks whether an open transaction holds back the waiting chats of a task."""
        proof = task.proof if task.is_held else None
        if proof is None:
            task.stable = None
        elif task.stable is not None:
            if task.stable.done():
                self._pass_open_transaction(task, proof, task.stable, now_s)
        elif now_s - proof.asked_s > OPEN_TRANSACTION_S or self._passed.get(task.partition) == task.commands.read_to:
            task.stable = self._ends.stable([task.partition])[task.partition]

    def _pass_open_transaction(self, task: Task, proof: Proof, stable: Answer, now_s: float) -> None:
        task.stable, number = None, task.partition
        begins = self._offset_of(stable, number, now_s)
        if begins is None:
            return
        if task.commands.read_to < begins:
            self._warn(number, now_s, f"chats wait for commands up to offset {begins}, read to {task.commands.read_to}")
            task.proof = replace(proof, asked_s=now_s)
            return
        if self._passed.get(number) != begins:
            log.warning(
                "partition %d: a transaction on the commands has been open for %.0f s, from offset %d on; chats are "
                "taken without its commands until it ends (kafka-transactions.sh find-hanging)",
                number, OPEN_TRANSACTION_S, begins,
            )  # fmt: skip
        self._passed[number] = begins
        self.open_transactions_passed += 1
        task.proof = replace(proof, commands_to=begins)

    def _warn(self, partition: int, now_s: float, message: str) -> None:
        if now_s - self._logged_s.get(partition, float("-inf")) > _LOG_EVERY_S:
            self._logged_s[partition] = now_s
            log.warning("partition %d: %s", partition, message)
