"""One partition from an explicit start to an explicit end, in the one order that inputs and journal give (`J4`).

The journal leads. An event that an interaction caused says: take the interactions up to that one. An event of a command
or the timer says: take the interactions before its `before_offset`, then this. A command that left no event changed
nothing; it is taken as late as possible, right before the next one that did.
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
    """Up to where one partition is verified.

    All interactions and commands below their ends were taken by a worker. Outputs below `lower` must follow from them;
    those from there up to where the records end may follow from what comes after.
    """

    interactions: int
    commands: int
    #: By topic.
    lower: Mapping[str, int]
    #: By topic, where not all can be read.
    limits: Mapping[str, Limits] = field(default_factory=dict)

    def limits_of(self, topic: str) -> Limits:
        """Which records of a topic cannot be read; mostly none."""
        return self.limits.get(topic, ALL)


class Witness:
    """Verifies one partition, in one round or in several that follow each other."""

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
        """`rules` are those that the log begins with, `changes` what came after (`C5`).

        `skipped`: the records that people skip, by topic and offset.
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
        #: The interactions at hand, and how many of them are taken.
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
        """From which offset of each topic the next round has to be given records."""
        balances = self._outputs.balances
        return {
            self._topics.interactions.name: self._recount.next_offset,
            self._topics.commands.name: self._commands_from,
            **{sequence.topic: sequence.resume_at for sequence in self._outputs.sequences},
            balances.topic: balances.resume_at,
        }

    def learn(self, changes: Sequence[RulesChange], skipped: AbstractSet[tuple[str, int]]) -> None:
        """All changes of the rules and all records skipped by now, those it knows among them.

        No change needs a longer memory than it has.
        """
        self._recount.skipped = skipped
        self._changes.extend(changes[self._changes_known :])
        self._changes_known = len(changes)

    def start_after_loss(self, loss: LossAccepted, journal: Batches, go_on: Callable[[int], None]) -> None:
        """Starts where a person accepted a loss, with what the journal still had below it."""
        self.fold_over_gaps(journal, go_on)
        balances = self._outputs.balances
        for sequence in self._outputs.sequences:
            sequence.resume_at = loss.end_of(sequence.topic).offset
        balances.resume_at = loss.end_of(balances.topic).offset
        balances.start_from(dict(self._states.accounts))
        self._recount.next_offset, self._commands_from = loss.interactions, loss.commands

    def fold_over_gaps(self, journal: Batches, go_on: Callable[[int], None]) -> None:
        """Folds the journal below an accepted loss: what cannot be read there is left out."""
        for batch in journal:
            for record in batch:
                self._outputs.journal.resume_at = record.offset() + 1
                with suppress(ValueError):
                    event = catalogue.JOURNAL.decode(record.value() or b"")
                    self._states.fold_over_gap(event)
                    self._states.forget(event.at)
            go_on(len(batch))
        for account in self._states.accounts.values():
            self._ledger.begin_with(account)

    def start(self, journal: Batches, first_interaction: int, first_command: int, go_on: Callable[[int], None]) -> None:
        """Folds what the journal tells of everything before the interaction at `first_interaction`.

        `journal` begins at its beginning, or at an accepted loss. Commands from `first_command` on that were taken
        before are left out. Without a call, verification starts before the first record of all topics. `go_on` is told
        how many events were folded.
        """
        sequence, begun = self._outputs.journal, first_command
        sequence.begin(journal, sys.maxsize, ALL)
        while (head := sequence.head()) is not None and (place := _place_in_order(head)) is not None:
            if place >= first_interaction:
                break
            self._fold(head)
            if head.cause is not None and head.cause.topic == self._topics.commands.name:
                begun = (head.cause.offset or 0) + 1
            sequence.skip()
            go_on(1)
        sequence.resume_at = max(sequence.resume_at, sequence.position)
        self._recount.next_offset = first_interaction
        self._commands_from = begun
        self._leave_out_what_was_before(first_interaction, begun)

    def start_from_snapshots(
        self, accounts: Iterable[Account], journal: Batches, ends: Ends, go_on: Callable[[int], None]
    ) -> None:
        """Starts at the end of now: with accounts as snapshots have them, and the journal that they lack.

        `journal` begins early enough for the session starts that still matter, and for what any snapshot lacks.
        """
        for account in accounts:
            self._states.accounts[account.account_id.encode()] = account
            self._ledger.begin_with(account)
        sequence = self._outputs.journal
        sequence.begin(journal, sys.maxsize, ALL)
        while (head := sequence.head()) is not None and not self._is_beyond(head, ends):
            self._fold(head)
            sequence.skip()
            go_on(1)
        sequence.resume_at = max(sequence.resume_at, sequence.position)
        self._recount.next_offset, self._commands_from = ends.interactions, ends.commands
        self._leave_out_what_was_before(ends.interactions, ends.commands)

    def verify(self, streams: Mapping[str, Batches], ends: Ends, go_on: Callable[[int], None]) -> None:
        """One round: `streams` are the records of each topic from `resume_at` on.

        `go_on` is told how many interactions were taken, again and again.
        """
        self._begin(streams, ends)
        while (head := self._outputs.journal.head()) is not None and self._follow(head, go_on):
            if self._outputs.journal.head() is head:
                self._outputs.journal.pass_over()  # it followed from nothing that there was to take
        self._take_interactions(ends.interactions, go_on)
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
        self._states.forget(event.at)

    def _leave_out_what_was_before(self, first_interaction: int, first_command: int) -> None:
        accounts = dict(self._states.accounts)
        first = {self._topics.interactions.name: first_interaction, self._topics.commands.name: first_command}

        def is_of_a_version_before(item: Identified) -> bool:
            account: Account | None = accounts.get(item.account_id.encode())
            return account is not None and bool(item.identity[1] <= account.version)

        def is_about_an_input_before(item: Identified) -> bool:
            topic, _, offset = item.identity
            return bool(offset < first.get(topic, 0))

        self._outputs.alerts.start_from(is_of_a_version_before)
        self._outputs.handoffs.start_from(is_of_a_version_before)
        self._outputs.results.start_from(is_about_an_input_before)
        self._outputs.dead_letters.start_from(is_about_an_input_before)
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

    def _follow(self, head: Identified, go_on: Callable[[int], None]) -> bool:
        """Takes what the event at the head of the journal follows from; False where that lies beyond the end."""
        cause, place = head.cause, _place_in_order(head)
        if cause is None or place is None:
            return True
        if self._is_beyond(head, self._ends):
            return head.record.offset() < self._ends.lower[self._topics.journal.name]
        while self._changes and head.record.offset() >= self._changes[0].journal:
            self._change_rules(go_on)
        if cause.topic == self._topics.interactions.name:
            self._take_interactions(place + 1, go_on)
        elif cause.topic == self._topics.commands.name:
            self._take_interactions_before(place, go_on)
            self._take_commands((cause.offset or 0) + 1)
        elif cause.timer is not None:
            self._take_interactions_before(place, go_on)
            self._tick(head)
        return True

    def _is_beyond(self, head: Identified, ends: Ends) -> bool:
        """Whether the event follows from an input that lies beyond the end."""
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

    def _take_interactions_before(self, place: int, go_on: Callable[[int], None]) -> None:
        """Those before the step at `place`, which may lie behind offsets that no record has (`J4`)."""
        self._take_interactions(place, go_on)
        self._recount.next_offset = max(self._recount.next_offset, place)

    def _take_interactions(self, end: int, go_on: Callable[[int], None]) -> None:
        """Those with an offset below `end`, each by the rules of its time."""
        while self._changes and end > self._changes[0].interactions:
            self._change_rules(go_on)
        self._take_by_the_rules(end, go_on)

    def _change_rules(self, go_on: Callable[[int], None]) -> None:
        """Takes what was decided by the rules so far, and follows the next."""
        change = self._changes.popleft()
        self._take_by_the_rules(change.interactions, go_on)
        self._recount.follow_rules(change.rules)

    def _take_by_the_rules(self, end: int, go_on: Callable[[int], None]) -> None:
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
            go_on(len(run))

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
