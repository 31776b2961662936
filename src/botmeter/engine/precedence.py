"""Commands before chats: a chat is taken only after every command that was acknowledged before it was sent.

That a partition is read to its end is old news: it was the end when the client last heard from the broker. So the
cluster is asked where the commands end. Every chat that is known to be in the log *before the question* may be taken
once the commands are read up to the answer, merged by timestamp: a command acknowledged before such a chat was sent
lies below it. Where a command waits, those chats go first that are older than it, and no question is needed.

A question is asked for all tasks that need one, and answered beside the commit under way. One answer covers a whole
backlog, since the client knows how far the interactions reach before it has read them.

The answer is a high watermark, which includes the records of open transactions. One that stays open holds chats back
for two seconds; then they are taken without its commands, of which nobody was told yet that they count.
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
#: An answer takes a millisecond. After this, partitions are asked for one by one: a leader that does not answer should
#: not hold up the others.
_ANSWER_S: Final = 0.05
#: For how long they are.
_APART_S: Final = 10.0
#: Between two questions about a partition that the cluster could not answer.
_PAUSE_S: Final = 0.1
#: How often a partition that waits is spoken of.
_SAY_S: Final = 10.0


#: Asks for offsets of the commands, by partition, and returns at once.
Ask = Callable[[Sequence[int]], Answers]


@dataclass(frozen=True, slots=True)
class CommandEnds:
    """What may be asked of the cluster about the commands."""

    #: The high watermarks, records of open transactions included.
    high: Ask
    #: The last stable offsets: where the first open transaction begins, else the high watermark.
    stable: Ask
    #: Finds the leaders anew, after one did not answer; takes its time.
    find_leaders: Callable[[], object]


@dataclass(frozen=True, slots=True)
class _Question:
    """Asked for `tasks` at a moment of the monotonic clock; `chats_below` of each were in the log by then."""

    asked_s: float
    tasks: Sequence[Task]
    chats_below: Sequence[int]
    answers: Answers

    @property
    def is_answered(self) -> bool:
        return all(answer.done() for answer in self.answers.values())


class Precedence:
    """Of all tasks of one worker. Used by the thread that polls; nothing here waits, but `wait`."""

    def __init__(self, ends: CommandEnds, known_end: Callable[[int], int], clock: Clock) -> None:
        """`known_end`: how far the interactions of a partition reach at least, as the client knows without asking."""
        self._ends, self._known_end, self._clock = ends, known_end, clock
        self._questions: list[_Question] = []
        self._apart_until_s = self._asked_s = float("-inf")
        self._mending = ThreadPoolExecutor(1, thread_name_prefix="leaders")
        self._mended: Future[object] | None = None
        self._not_before_s = float("-inf")
        self._said_s: dict[int, float] = {}
        #: By partition: where the transaction begins that chats were taken past.
        self._passed: dict[int, int] = {}
        #: How often chats were taken although a transaction on the commands was open.
        self.open_transactions_passed = 0

    def close(self) -> None:
        """Lets the thread go."""
        self._mending.shutdown(cancel_futures=True)

    def forget(self, partition: int) -> None:
        """The partition is restored or gone; what is answered about it does not count any more."""
        self._passed.pop(partition, None)
        self._said_s.pop(partition, None)

    @property
    def is_asking(self) -> bool:
        """Whether a question is under way."""
        return bool(self._questions)

    def wait(self, seconds: float) -> None:
        """Until a question is answered, or for so long."""
        asked = (answer for question in self._questions for answer in question.answers.values())
        wait([answer for answer in asked if not answer.done()], seconds, FIRST_COMPLETED)

    def holds(self, tasks: Iterable[Task], within_s: float) -> bool:
        """Whether chats wait for an answer, or for the commands up to one, that was asked for no longer ago than so."""
        now_s = self._clock.monotonic_s()
        asked = {task.partition: question.asked_s for question in self._questions for task in question.tasks}
        return any(
            now_s - (task.proof.asked_s if task.proof else asked.get(task.partition, now_s)) <= within_s
            for task in tasks
            if task.is_held
        )

    def advance(self, tasks: Sequence[Task], pause_s: float) -> None:
        """Takes the answers that have come, and asks where one is needed, at most every `pause_s`.

        Raises ClusterError where the cluster refuses to answer.
        """
        now_s = self._clock.monotonic_s()
        self._take_answers(now_s)
        for task in tasks:
            self._note(task, now_s)
        asked = {task.partition for question in self._questions for task in question.tasks}
        if now_s < self._not_before_s or now_s - self._asked_s < pause_s:
            return
        self._ask([task for task in tasks if task.needs_proof and task.partition not in asked], now_s)

    # --- Asking ---

    def _ask(self, tasks: Sequence[Task], now_s: float) -> None:
        if not tasks:
            return
        self._asked_s = now_s
        for group in [[task] for task in tasks] if now_s < self._apart_until_s else [tasks]:
            below = [max(task.interactions.read_to, self._known_end(task.partition)) for task in group]
            answers = self._ends.high([task.partition for task in group])
            self._questions.append(_Question(now_s, group, below, answers))

    def _take_answers(self, now_s: float) -> None:
        for question in list(self._questions):
            if question.is_answered:
                self._questions.remove(question)
                for task, below in zip(question.tasks, question.chats_below, strict=True):
                    if (end := self._answer(question.answers[task.partition], task.partition, now_s)) is not None:
                        task.proof = Proof(below, end, question.asked_s)
            elif len(question.tasks) > 1 and now_s - question.asked_s > _ANSWER_S:
                self._questions.remove(question)
                self._apart_until_s = now_s + _APART_S

    def _answer(self, answer: Answer, partition: int, now_s: float) -> int | None:
        try:
            return answer.result().offset
        except KafkaException as exception:
            error = classify(fault := cause(exception), "the commands")
            if not isinstance(error, Retriable) and fault.code() not in PASSES_WITHIN:
                raise error from exception
            self._say(partition, now_s, f"chats wait, the cluster does not tell where the commands end: {error}")
        self._not_before_s = now_s + _PAUSE_S
        if self._mended is None or self._mended.done():
            self._mended = self._mending.submit(self._ends.find_leaders)
        return None

    # --- Chats that wait ---

    def _note(self, task: Task, now_s: float) -> None:
        """Looks whether an open transaction is in the way of a task whose chats wait."""
        proof = task.proof if task.is_held else None
        if proof is None:
            task.stable = None
        elif task.stable is not None:
            if task.stable.done():
                self._look_past(task, proof, task.stable, now_s)
        elif now_s - proof.asked_s > OPEN_TRANSACTION_S or self._passed.get(task.partition) == task.commands.read_to:
            task.stable = self._ends.stable([task.partition])[task.partition]

    def _look_past(self, task: Task, proof: Proof, stable: Answer, now_s: float) -> None:
        task.stable, number = None, task.partition
        begins = self._answer(stable, number, now_s)
        if begins is None:
            return
        if task.commands.read_to < begins:
            self._say(number, now_s, f"chats wait for commands up to offset {begins}, read to {task.commands.read_to}")
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

    def _say(self, partition: int, now_s: float, what: str) -> None:
        if now_s - self._said_s.get(partition, float("-inf")) > _SAY_S:
            self._said_s[partition] = now_s
            log.warning("partition %d: %s", partition, what)
