"""Verifies one partition from an explicit start to an explicit end, in the only possible order of its inputs (`J4`).

The journal gives the order. For an event that an interaction caused, all interactions up to that one are taken. For an
event of a command or the timer, the interactions before its `before_offset` are taken, then the command or tick. A
command without events changed nothing; it is taken as late as possible, right before the next one with events.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field

from botmeter.contracts import catalogue
from botmeter.contracts.rescues import LossAccepted
from botmeter.contracts.rules import RulesChange
from botmeter.contracts.topics import Topics
from botmeter.domain.account import Account
from botmeter.domain.prices import Rules
from botmeter.domain.sessions import memory_ms
from botmeter.verification.balances import Balances
from botmeter.verification.dead_letters import DeadLetters, DeadLetterShape
from botmeter.verification.findings import Difference, Findings
from botmeter.verification.ledger import Ledger
from botmeter.verification.records import Batches, Record, Stream
from botmeter.verification.recount import Outputs, Recount
from botmeter.verification.sequence import ALL, Limits
from botmeter.verification.sequence import Sequence as Outcomes
from botmeter.verification.states import States
from botmeter.verification.wire import AnswerShape, Identified, JournalShape, VersionedShape


@dataclass(frozen=True, slots=True)
class Ends:
    """The end of one partition's verification.

    All interactions and commands below their ends were taken by a worker. Outputs below `lower` must follow from them;
    outputs from there on may follow from later inputs.
    """

    interactions: int
    commands: int
    #: By topic.
    lower: Mapping[str, int]
    #: By topic: which records cannot be read, if any.
    limits: Mapping[str, Limits] = field(default_factory=dict)

    def limits_of(self, topic: str) -> Limits:
        """Which records of a topic cannot be read; usually none."""
        return self.limits.get(topic, ALL)


class Witness:
    """Verifies one partition, in one round or in consecutive rounds."""

    def __init__(
        self,
        partition: int,
        partitions: int,
        topics: Topics,
        rules: Rules,
        findings: Findings,
        changes: Sequence[RulesChange] = (),
        skipped: AbstractSet[tuple[str, int]] = frozenset(),
    ) -> None:
        """`rules` are those that the log begins with, `changes` the later ones (`C5`).

        `skipped`: the records that operators skipped, by topic and offset.
        """
        self.partition, self._topics, self._findings = partition, topics, findings
        self._states = States(max((rules, *(change.rules for change in changes)), key=memory_ms))
        self._changes = deque(changes)
        self._changes_known = len(changes)
        self._ledger = Ledger(findings)
        self._outputs = Outputs(
            Outcomes(topics.journal.name, partition, JournalShape(), findings),
            Outcomes(topics.alerts.name, partition, VersionedShape(catalogue.ALERTS), findings),
            Outcomes(topics.handoffs.name, partition, VersionedShape(catalogue.HANDOFFS), findings),
            Outcomes(topics.command_results.name, partition, AnswerShape(), findings),
            DeadLetters(topics.dead_letters.name, partition, DeadLetterShape(), findings),
            Balances(topics.balances.name, partition, self._states.accounts, findings),
        )
        self._recount = Recount(
            partition, partitions, topics, rules, self._states, self._outputs, self._ledger, findings
        )
        self._recount.skipped = skipped
        self._commands_from = 0
        self._interactions: Iterator[Sequence[Record]] = iter(())
        #: The interactions read last, and how many of them are taken.
        self._run: Sequence[Record] = ()
        self._run_at = 0
        self._commands = Stream(())
        self._ends = Ends(0, 0, {})

    @property
    def next_interaction(self) -> int:
        """The offset of the first interaction not taken yet."""
        return self._recount.next_offset

    @property
    def resume_at(self) -> Mapping[str, int]:
        """By topic: the offset from which the next round needs records."""
        balances = self._outputs.balances
        return {
            self._topics.interactions.name: self._recount.next_offset,
            self._topics.commands.name: self._commands_from,
            **{sequence.topic: sequence.resume_at for sequence in self._outputs.sequences},
            balances.topic: balances.resume_at,
        }

    def update(self, changes: Sequence[RulesChange], skipped: AbstractSet[tuple[str, int]]) -> None:
        """Takes over all changes of the rules and all skipped records to date, including those it has already.

        No change may need a longer memory of session starts than the witness has.
        """
        self._recount.skipped = skipped
        self._changes.extend(changes[self._changes_known :])
        self._changes_known = len(changes)

    def start_after_loss(self, loss: LossAccepted, journal: Batches, on_progress: Callable[[int], None]) -> None:
        """Starts at a loss that an operator accepted, with the events that the journal still has below it."""
        self.fold_over_gaps(journal, on_progress)
        balances = self._outputs.balances
        for sequence in self._outputs.sequences:
            sequence.resume_at = loss.end_of(sequence.topic).offset
        balances.resume_at = loss.end_of(balances.topic).offset
        balances.start_from(dict(self._states.accounts))
        self._recount.next_offset, self._commands_from = loss.interactions, loss.commands

    def fold_over_gaps(self, journal: Batches, on_progress: Callable[[int], None]) -> None:
        """Folds the journal below an accepted loss; records that cannot be read are left out."""
        for batch in journal:
            for record in batch:
                self._outputs.journal.resume_at = record.offset() + 1
                with suppress(ValueError):
                    event = catalogue.JOURNAL.decode(record.value() or b"")
                    self._states.fold_over_gap(event)
                    self._states.expire(event.at)
            on_progress(len(batch))
        for account in self._states.accounts.values():
            self._ledger.start_from(account)

    def start(
        self, journal: Batches, first_interaction: int, first_command: int, on_progress: Callable[[int], None]
    ) -> None:
        """Folds the journal's events of everything before the interaction at `first_interaction`.

        `journal` begins at its beginning, or at an accepted loss. Commands from `first_command` on that were taken
        before are left out. Without a call, verification starts before the first record of all topics. `on_progress` is
        called with the number of events folded since its last call.
        """
        sequence, commands_from = self._outputs.journal, first_command
        sequence.begin(journal, sys.maxsize, ALL)
        while (head := sequence.head()) is not None and (place := _place_in_order(head)) is not None:
            if place >= first_interaction:
                break
            self._fold(head)
            if head.cause is not None and head.cause.topic == self._topics.commands.name:
                commands_from = (head.cause.offset or 0) + 1
            sequence.skip()
            on_progress(1)
        sequence.resume_at = max(sequence.resume_at, sequence.position)
        self._recount.next_offset = first_interaction
        self._commands_from = commands_from
        self._exclude_outputs_before(first_interaction, commands_from)

    def start_from_snapshots(
        self, accounts: Iterable[Account], journal: Batches, ends: Ends, on_progress: Callable[[int], None]
    ) -> None:
        """Starts at the present end: with the accounts of the snapshots, and the journal's events after them.

        `journal` begins early enough for all session starts that still count, and all events that any snapshot lacks.
        """
        for account in accounts:
            self._states.accounts[account.account_id.encode()] = account
            self._ledger.start_from(account)
        sequence = self._outputs.journal
        sequence.begin(journal, sys.maxsize, ALL)
        while (head := sequence.head()) is not None and not self._is_beyond(head, ends):
            self._fold(head)
            sequence.skip()
            on_progress(1)
        sequence.resume_at = max(sequence.resume_at, sequence.position)
        self._recount.next_offset, self._commands_from = ends.interactions, ends.commands
        self._exclude_outputs_before(ends.interactions, ends.commands)

    def verify(self, streams: Mapping[str, Batches], ends: Ends, on_progress: Callable[[int], None]) -> None:
        """Verifies one round: `streams` are the records of each topic from `resume_at` on.

        `on_progress` is called with the number of interactions taken since its last call.
        """
        self._begin(streams, ends)
        while (head := self._outputs.journal.head()) is not None and self._take_causes(head, on_progress):
            if self._outputs.journal.head() is head:
                self._outputs.journal.take_unexpected()  # none of the inputs taken led to it
        self._take_interactions(ends.interactions, on_progress)
        self._take_commands(ends.commands)
        self._recount.next_offset = max(self._recount.next_offset, ends.interactions)
        self._commands_from = ends.commands
        for sequence in self._outputs.sequences:
            sequence.finish()
        self._outputs.balances.finish()

    # --- The start ---

    def _fold(self, head: Identified) -> None:
        record = head.record
        try:
            event = catalogue.JOURNAL.decode(record.value() or b"")
            if not self._states.fold(event):
                return
        except ValueError as error:
            self._findings.add(
                Difference("unreadable", self._topics.journal.name, self.partition, record.offset(), str(error))
            )
            return
        self._ledger.take(event)
        self._states.expire(event.at)

    def _exclude_outputs_before(self, first_interaction: int, first_command: int) -> None:
        accounts = dict(self._states.accounts)
        first = {self._topics.interactions.name: first_interaction, self._topics.commands.name: first_command}

        def is_version_before(item: Identified) -> bool:
            account: Account | None = accounts.get(item.account_id.encode())
            return account is not None and bool(item.identity[1] <= account.version)

        def is_input_before(item: Identified) -> bool:
            topic, _, offset = item.identity
            return bool(offset < first.get(topic, 0))

        self._outputs.alerts.start_from(is_version_before)
        self._outputs.handoffs.start_from(is_version_before)
        self._outputs.results.start_from(is_input_before)
        self._outputs.dead_letters.start_from(is_input_before)
        self._outputs.balances.start_from(accounts)

    # --- The order ---

    def _begin(self, streams: Mapping[str, Batches], ends: Ends) -> None:
        self._ends = ends
        self._interactions = iter(streams[self._topics.interactions.name])
        self._run, self._run_at = (), 0
        self._commands = Stream(streams[self._topics.commands.name])
        for sequence in self._outputs.sequences:
            sequence.begin(streams[sequence.topic], ends.lower[sequence.topic], ends.limits_of(sequence.topic))
        balances = self._outputs.balances
        balances.begin(streams[balances.topic], ends.lower[balances.topic], ends.limits_of(balances.topic))

    def _take_causes(self, head: Identified, on_progress: Callable[[int], None]) -> bool:
        """Takes the inputs up to the cause of the event at the journal's head; False if it lies beyond the end."""
        cause, place = head.cause, _place_in_order(head)
        if cause is None or place is None:
            return True
        if self._is_beyond(head, self._ends):
            return head.record.offset() < self._ends.lower[self._topics.journal.name]
        while self._changes and head.record.offset() >= self._changes[0].journal:
            self._change_rules(on_progress)
        if cause.topic == self._topics.interactions.name:
            self._take_interactions(place + 1, on_progress)
        elif cause.topic == self._topics.commands.name:
            self._take_interactions_before(place, on_progress)
            self._take_commands((cause.offset or 0) + 1)
        elif cause.timer is not None:
            self._take_interactions_before(place, on_progress)
            self._tick(head)
        return True

    def _is_beyond(self, head: Identified, ends: Ends) -> bool:
        """Whether the event's cause lies beyond the end."""
        cause, place = head.cause, _place_in_order(head)
        if cause is None or place is None:
            return False
        if cause.topic == self._topics.interactions.name:
            return place >= ends.interactions
        is_command = cause.topic == self._topics.commands.name
        return place > ends.interactions or (is_command and (cause.offset or 0) >= ends.commands)

    def _tick(self, head: Identified) -> None:
        try:
            at = catalogue.JOURNAL.decode(head.record.value() or b"").at
        except ValueError:
            return
        self._recount.tick(head.account_id, at)

    def _take_interactions_before(self, place: int, on_progress: Callable[[int], None]) -> None:
        """Takes those before the step at `place`, which may lie behind offsets without a record (`J4`)."""
        self._take_interactions(place, on_progress)
        self._recount.next_offset = max(self._recount.next_offset, place)

    def _take_interactions(self, end: int, on_progress: Callable[[int], None]) -> None:
        """Takes those with an offset below `end`, each by the rules of its time."""
        while self._changes and end > self._changes[0].interactions:
            self._change_rules(on_progress)
        self._take_by_present_rules(end, on_progress)

    def _change_rules(self, on_progress: Callable[[int], None]) -> None:
        """Takes the interactions up to the next change of the rules, then applies the change."""
        change = self._changes.popleft()
        self._take_by_present_rules(change.interactions, on_progress)
        self._recount.follow_rules(change.rules)

    def _take_by_present_rules(self, end: int, on_progress: Callable[[int], None]) -> None:
        while self._recount.next_offset < end:
            if self._run_at == len(self._run):
                self._run, self._run_at = next(self._interactions, ()), 0
                if not self._run:
                    break
            stop = bisect_left(self._run, end, lo=self._run_at, key=_offset_of)
            if stop == self._run_at:
                break
            run, self._run_at = self._run[self._run_at : stop], stop
            self._recount.take_interactions(run)
            on_progress(len(run))

    def _take_commands(self, end: int) -> None:
        while (record := self._commands.peek()) is not None and record.offset() < end:
            self._recount.take_command(self._commands.take())


def _offset_of(record: Record) -> int:
    return record.offset()


def _place_in_order(head: Identified) -> int | None:
    """The offset of the interaction that caused the event, or before which its cause was taken (`J4`)."""
    cause = head.cause
    if cause is None:
        return None
    return cause.offset if cause.before_offset is None else cause.before_offset
