"""Determines from the outputs of a partition how far its inputs were taken, and what its journal lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import Final, cast

from botmeter.contracts import catalogue
from botmeter.contracts.rescues import LossAccepted
from botmeter.contracts.topics import Topic, Topics
from botmeter.kafka import questions
from botmeter.kafka.reader import committed_records
from botmeter.operations.partitions import PartitionDesk
from botmeter.verification.dead_letters import DeadLetterShape
from botmeter.verification.records import Record
from botmeter.verification.wire import AnswerShape, Identified, JournalShape, VersionedShape

_JOURNAL: Final = JournalShape()


@dataclass(slots=True)
class Evidence:
    """The evidence of one partition. Positions are the offsets after the last records that caused outputs, by topic."""

    events: int = 0
    unreadable: int = 0
    #: Events that do not follow their account's version.
    gaps: int = 0
    #: The last version of each account in the journal.
    versions: dict[str, int] = field(default_factory=dict)
    #: How many versions of each account its last balance is ahead of the journal.
    lacking: dict[str, int] = field(default_factory=dict)
    by_journal: Counter[str] = field(default_factory=Counter)
    by_all_outputs: Counter[str] = field(default_factory=Counter)

    @property
    def is_whole(self) -> bool:
        """Whether nothing shows that the journal lacks events."""
        return not (self.gaps or self.unreadable or self.lacking)


class Outputs:
    """Reads the outputs of one partition."""

    def __init__(self, desk: PartitionDesk, number: int, on_progress: Callable[[int], None]) -> None:
        """`on_progress` is called repeatedly, with the number of records read since its last call."""
        self._desk, self._number, self._on_progress = desk, number, on_progress
        self._topics: Topics = desk.topics
        self._evidence = Evidence()

    def evidence(self, loss: LossAccepted | None) -> Evidence:
        """Reads all outputs; positions are taken only from those after the last accepted loss."""
        evidence, topics = self._evidence, self._topics
        journal_from = 0
        if loss is not None:
            journal_from = loss.end_of(topics.journal.name).offset
            evidence.by_journal |= Counter(self._positions(loss.interactions, loss.commands))
        for record in self._records(topics.journal, 0):
            self._add_event(record, has_position=record.offset() >= journal_from)
        evidence.by_all_outputs |= evidence.by_journal
        for topic, shape in ((topics.dead_letters, DeadLetterShape()), (topics.command_results, AnswerShape())):
            for record in self._records(topic, 0 if loss is None else loss.end_of(topic.name).offset):
                with suppress(ValueError):
                    source, _, offset = shape.identify(record).identity
                    evidence.by_all_outputs[source] = max(evidence.by_all_outputs[source], offset + 1)
        self._add_balances()
        return evidence

    def _add_event(self, record: Record, *, has_position: bool) -> None:
        evidence = self._evidence
        evidence.events += 1
        try:
            event = _JOURNAL.identify(record)
            catalogue.JOURNAL.decode(record.value())
        except ValueError:
            evidence.unreadable += 1
            return
        account_id, version = event.identity
        evidence.gaps += version != evidence.versions.get(account_id, 0) + 1
        evidence.versions[account_id] = max(version, evidence.versions.get(account_id, 0))
        if has_position:
            evidence.by_journal |= Counter(self._positions_of(event))

    def _positions_of(self, event: Identified) -> dict[str, int]:
        cause = event.cause
        if cause is None:
            return {}
        if cause.topic == self._topics.interactions.name:
            return self._positions((cause.offset or 0) + 1, 0)
        is_command = cause.topic == self._topics.commands.name
        return self._positions(cause.before_offset or 0, (cause.offset or 0) + 1 if is_command else 0)

    def _positions(self, interactions: int, commands: int) -> dict[str, int]:
        return {self._topics.interactions.name: interactions, self._topics.commands.name: commands}

    def _add_balances(self) -> None:
        """Compares each account's last balance with its last event: the balance has the version of the last event."""
        evidence, shape = self._evidence, VersionedShape(catalogue.BALANCES)
        for record in self._records(self._topics.balances, 0):
            with suppress(ValueError):
                account_id, version = shape.identify(record).identity
                lacking = version - evidence.versions.get(account_id, 0)
                if lacking > evidence.lacking.get(account_id, 0):
                    evidence.lacking[account_id] = lacking

    def _records(self, topic: Topic, start: int) -> Iterator[Record]:
        admin, number = self._desk.admin, self._number
        begin = max(start, questions.begin_offsets(admin, topic.name, [number])[number])
        end = questions.end_offsets(admin, topic.name, [number])[number]
        chunks = committed_records(self._desk.reader, topic.name, number, begin, end, Flag())
        with closing(chunks):
            for chunk in chunks:
                yield from cast("list[Record]", chunk)
                self._on_progress(len(chunk))
