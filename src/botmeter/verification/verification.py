"""Verifies all partitions of a cluster one after another, once or in rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from botmeter.contracts.instants import rfc3339
from botmeter.contracts.rescues import LossAccepted, OffsetsSet, RecordSkipped, Rescue
from botmeter.contracts.rules import RulesHistory
from botmeter.contracts.topics import Topics
from botmeter.domain.prices import DAY_MS, Rules
from botmeter.errors import ConfigurationError
from botmeter.verification.cluster import Bounds, VerifiedCluster
from botmeter.verification.findings import Difference, Findings
from botmeter.verification.witness import Witness


@dataclass(frozen=True, slots=True)
class Progress:
    """Callbacks that report the progress of a round."""

    #: Called at the start with what is counted, and the highest possible number of records.
    begin: Callable[[str, int], None] = lambda _, __: None
    #: Called with how many more of them are done.
    advance: Callable[[int], None] = lambda _: None


class _Start(NamedTuple):
    """The first interaction of a partition to verify, and the first command that the topic still has."""

    interaction: int
    command: int


class Verification:
    """Verifies all partitions up to where the workers are now: `once`, or in rounds that continue from the last one."""

    def __init__(
        self,
        cluster: VerifiedCluster,
        topics: Topics,
        rules: Rules,
        partitions: int,
        findings: Findings,
        since_ms: int | None = None,
    ) -> None:
        """`rules` apply where the log has none.

        `since_ms` (UTC ms): start with the interactions of that moment; None: with the first that the topic still has.
        """
        self._cluster, self._topics, self._unrecorded = cluster, topics, rules
        self._rules = RulesHistory((), rules)
        self._numbers, self._findings, self._since_ms = range(partitions), findings, since_ms
        self._witnesses: dict[int, Witness] = {}
        self._hanging: set[tuple[str, int, int]] = set()

    def once(self, progress: Progress) -> None:
        """Verifies all partitions, holding one at a time in memory. Raises what reading raises."""
        for witness, bounds in self._prepared(progress):
            self._verify(witness, bounds, progress)

    def round(self, progress: Progress) -> None:
        """Verifies all partitions, keeping each for the next round. Raises what reading raises."""
        for witness, bounds in self._prepared(progress):
            self._witnesses[witness.partition] = witness
            self._verify(witness, bounds, progress)

    def start_from_snapshots(self, now_ms: int, progress: Progress) -> None:
        """Prepares rounds that start at the present end (`now_ms`, UTC ms): little of the journal must be read."""
        snapshots = self._cluster.snapshots(self._cluster.rules(self._unrecorded))
        bounds = self._bounds()
        journal = self._topics.journal
        recent = self._cluster.first_offsets(journal, now_ms - self._rules.longest_memory_ms - DAY_MS)
        ends = {number: bounds.upper[journal.name, number] for number in self._numbers}
        starts = {number: min(snapshots[number].floor, recent[number]) for number in self._numbers}
        progress.begin("events of the journal", sum(ends.values()) - sum(starts.values()))
        for number in self._numbers:
            witness, loss = self._new_witness(number), self._rules.loss(number)
            accounts, start = snapshots[number].accounts.values(), starts[number]
            if loss is not None:
                start = max(start, loss.end_of(journal.name).offset)
                with self._cluster.journal(number, starts[number], start) as events:
                    witness.fold_over_gaps(events, progress.advance)
            with self._cluster.journal(number, start, ends[number]) as events:
                witness.start_from_snapshots(accounts, events, bounds.ends[number], progress.advance)
            self._witnesses[number] = witness

    def _prepared(self, progress: Progress) -> Iterator[tuple[Witness, Bounds]]:
        """Each partition's witness, one after another: that of the last round, else a new one at its start."""
        bounds = self._bounds()
        self._report_hanging(bounds)
        starts = {} if len(self._witnesses) == len(self._numbers) else self._starts(bounds)
        firsts = {number: starts[number].interaction for number in starts}
        firsts |= {number: witness.next_interaction for number, witness in self._witnesses.items()}
        journal = [
            bounds.upper[self._topics.journal.name, number] for number, start in starts.items() if start.interaction
        ]
        interactions = [max(0, bounds.ends[number].interactions - first) for number, first in firsts.items()]
        counted = "interactions and events before the start" if journal else "interactions"
        progress.begin(counted, sum(journal) + sum(interactions))
        for number in self._numbers:
            witness = self._witnesses.get(number)
            yield witness or self._start_witness(number, starts[number], bounds, progress), bounds

    def _bounds(self) -> Bounds:
        """The bounds of what can be verified now. Reads the rules after them, so that none in force is missed."""
        bounds, known = self._cluster.bounds(), self._rules
        self._rules = self._cluster.rules(self._unrecorded)
        if self._witnesses and self._rules.longest_memory_ms > known.longest_memory_ms:
            raise ConfigurationError("the rules in force remember sessions for longer now: restart the verification")
        for number, witness in list(self._witnesses.items()):
            if self._rules.loss(number) != known.loss(number):
                del self._witnesses[number]  # a new one starts from the accepted loss
            else:
                witness.update(self._rules.since_loss(number)[1], self._rules.skipped(number).keys())
        self._findings.rescues |= {describe_rescue(rescue): None for rescue in self._rules.rescues}
        return bounds

    def _new_witness(self, number: int) -> Witness:
        first, changes = self._rules.since_loss(number)
        skipped = self._rules.skipped(number).keys()
        return Witness(number, len(self._numbers), self._topics, first, self._findings, changes, skipped)

    def _verify(self, witness: Witness, bounds: Bounds, progress: Progress) -> None:
        number = witness.partition
        with self._cluster.records(number, witness.resume_at, bounds) as streams:
            witness.verify(streams, bounds.ends[number], progress.advance)

    def _starts(self, bounds: Bounds) -> dict[int, _Start]:
        interactions = self._cluster.first_offsets(self._topics.interactions, self._since_ms)
        commands = self._cluster.first_offsets(self._topics.commands, None)
        return {
            number: _Start(min(interactions[number], bounds.ends[number].interactions), commands[number])
            for number in self._numbers
        }

    def _start_witness(self, number: int, start: _Start, bounds: Bounds, progress: Progress) -> Witness:
        """A new witness with the states before the first interaction: the fold of the journal up to there."""
        witness, loss = self._new_witness(number), self._rules.loss(number)
        journal_start, first_command = 0, start.command
        if loss is not None:
            journal_start = loss.end_of(self._topics.journal.name).offset
            first_command = max(start.command, loss.commands)
            with self._cluster.journal(number, 0, journal_start) as journal:
                witness.start_after_loss(loss, journal, progress.advance)
            if start.interaction <= loss.interactions:
                return witness
        end = bounds.upper[self._topics.journal.name, number] if start.interaction else 0
        with self._cluster.journal(number, journal_start, end) as journal:
            witness.start(journal, start.interaction, first_command, progress.advance)
        return witness

    def _report_hanging(self, bounds: Bounds) -> None:
        """Reports each hanging transaction once."""
        for hanging in bounds.hanging:
            place = (hanging.topic, hanging.partition, hanging.offset)
            if place in self._hanging:
                continue
            self._hanging.add(place)
            self._findings.add(
                Difference(
                    "hanging_transaction",
                    *place,
                    f"read_committed readers wait here, {hanging.high_watermark - hanging.offset} offsets before the "
                    "end; end the transaction with kafka-transactions.sh (find-hanging, abort)",
                )
            )


def describe_rescue(rescue: Rescue) -> str:
    """A rescue in words."""
    author = f"by {rescue.by} at {rfc3339(rescue.at)}: {rescue.why}"
    match rescue:
        case RecordSkipped():
            return f"{rescue.topic}-{rescue.partition}@{rescue.offset} skipped {author}"
        case OffsetsSet():
            lost = f", {rescue.lost:,} offsets lost" if rescue.lost else ""
            return f"partition {rescue.partition} read from where its journal stood{lost}, {author}"
        case LossAccepted():
            return f"partition {rescue.partition} verified from an accepted loss on, {author}"
