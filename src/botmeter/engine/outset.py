"""Reads what a restore starts from: rules and rescues, committed offsets, the ends of journal and snapshots."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from threading import Event as Flag
from typing import Final

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from botmeter.clock import Clock
from botmeter.contracts.partition_notes import has_begun
from botmeter.contracts.rules import RulesHistory
from botmeter.contracts.topics import Topics
from botmeter.domain.prices import Rules
from botmeter.engine.trust import Job, Log, Positions
from botmeter.kafka import questions
from botmeter.kafka.reader import REQUEST_S, until_answered
from botmeter.kafka.rules_log import read_rules, require_agreement

#: How long, and how often, the query for committed offsets is repeated when there must be some (KAFKA-20416).
_NO_OFFSETS_S: Final = 3.0
_PAUSE_S: Final = 0.2


class Outset:
    """Reads what restores start from; used by the threads of the restores."""

    def __init__(self, topics: Topics, rules: Rules, admin: AdminClient, clock: Clock) -> None:
        self._topics, self._rules, self._admin, self._clock = topics, rules, admin, clock
        #: The number of each partition's last rescue when it was last restored.
        self._rescue_known: dict[int, int] = {}
        #: The first offset of the interactions, for partitions without any commit so far. A partition whose offsets
        #: were lost is not among them: its offsets may come back, so nothing may be committed instead.
        self.beginnings: dict[int, int] = {}

    def job(self, reader: Consumer, partition: int, stop: Flag) -> Job:
        """Returns the job of restoring a partition. Raises like `Restorer.restore`."""
        history = self._history(reader, stop)
        require_agreement(history, self._rules)
        self._rescue_known[partition] = history.last_rescue(partition)
        positions = self._positions(reader, partition, stop)
        # In this order: the journal then contains every event that a snapshot reflects.
        snapshots = self._log(self._topics.snapshots.name, partition)
        journal = self._log(self._topics.journal.name, partition)
        job = Job(
            partition,
            reader,
            stop,
            positions,
            snapshots,
            journal,
            self._clock.now_ms(),
            history.end,
            history.loss(partition),
            history.skipped(partition),
        )
        self.beginnings.pop(partition, None)
        if journal.end == 0:
            self.note_beginning(job)
        begin = max(snapshots.begin, job.lost_below(self._topics.snapshots.name, snapshots))
        return replace(job, snapshots=replace(snapshots, begin=begin))

    def note_beginning(self, job: Job) -> None:
        """Notes where the interactions begin, if no offsets were committed; called for partitions without accounts."""
        if not job.positions.was_committed:
            self.beginnings[job.partition] = job.positions.interactions

    def rescued(self, reader: Consumer, partitions: Iterable[int], stop: Flag) -> set[int]:
        """Returns the partitions that were rescued since their last restore. Raises like `job`."""
        history = self._history(reader, stop)
        known = {number: self._rescue_known[number] for number in partitions if number in self._rescue_known}
        return {number for number, before in known.items() if history.last_rescue(number) > before}

    def _history(self, reader: Consumer, stop: Flag) -> RulesHistory:
        """Returns the rules and the rescues; waits for one that is being recorded."""
        return read_rules(reader, self._admin, self._topics.rules.name, self._rules, stop)

    def _positions(self, reader: Consumer, partition: int, stop: Flag) -> Positions:
        """Returns the committed offsets; waits for the end of a transaction that contains newer ones.

        An offset that only carries a note does not count.
        """
        names = (self._topics.interactions.name, self._topics.commands.name)
        asked = [TopicPartition(name, partition) for name in names]
        patience = self._clock.deadline(_NO_OFFSETS_S)
        while True:
            committed = until_answered(stop, lambda: reader.committed(asked, timeout=REQUEST_S))
            if all(found.offset >= 0 for found in committed) and has_begun(committed[0].metadata):
                return Positions(committed[0].offset, committed[1].offset, was_committed=True)
            if patience.is_past or not self._has_journal(partition):
                break
            stop.wait(_PAUSE_S)
        begins = [questions.begin_offsets(self._admin, name, [partition])[partition] for name in names]
        return Positions(begins[0], begins[1], was_committed=False)

    def _has_journal(self, partition: int) -> bool:
        """Whether offsets must have been committed: a broker that has just restarted may report none."""
        return questions.end_offsets(self._admin, self._topics.journal.name, [partition])[partition] > 0

    def _log(self, name: str, partition: int) -> Log:
        return Log(
            topic_id=questions.topic_ids(self._admin, [name])[name],
            begin=questions.begin_offsets(self._admin, name, [partition])[partition],
            end=questions.end_offsets(self._admin, name, [partition])[partition],
        )
