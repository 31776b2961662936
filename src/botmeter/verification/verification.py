"""All partitions of a cluster, verified one after another, once or again and again."""

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
    """Told while a round is under way."""

    #: What is done, and how many records it will be at most.
    begin: Callable[[str, int], None] = lambda _, __: None
    #: How many more of them are done.
    go_on: Callable[[int], None] = lambda _: None


class _Start(NamedTuple):
    """The first interaction of a partition that is verified, and the first command there is."""

    interaction: int
    command: int


class Verification:
    """Verifies all partitions up to where the workers are now: `once`, or in rounds that go on where the last ended."""

    def __init__(
        self,
        cluster: VerifiedCluster,
        topics: Topics,
        rules: Rules,
        partitions: int,
        findings: Findings,
        since_ms: int | None = None,
    ) -> None:
        """`rules` count where the log has none.

        `since_ms` (UTC ms): begin with the interactions of that moment, else with the first there are.
        """
        self._cluster, self._topics, self._unrecorded = cluster, topics, rules
        self._rules = RulesHistory((), rules)
        self._numbers, self._findings, self._since_ms = range(partitions), findings, since_ms
        self._witnesses: dict[int, Witness] = {}
        self._hanging: set[tuple[str, int, int]] = set()

    def once(self, progress: Progress) -> None:
        """All partitions, of which one at a time is held in memory. Raises what reading raises."""
        for witness, bounds in self._ready(progress):
            self._verify(witness, bounds, progress)

    def round(self, progress: Progress) -> None:
        """All partitions, each kept for the next round. Raises what reading raises."""
        for witness, bounds in self._ready(progress):
            self._witnesses[witness.partition] = witness
            self._verify(witness, bounds, progress)

    def start_from_snapshots(self, now_ms: int, progress: Progress) -> None:
        """Begins at the end of now (UTC ms), for rounds: little of the journal has to be read for it."""
        snapshots = self._cluster.snapshots(self._cluster.rules(self._unrecorded))
        bounds = self._bounds()
        journal = self._topics.journal
        recent = self._cluster.first_offsets(journal, now_ms - self._rules.longest_memory_ms - DAY_MS)
        ends = {number: bounds.upper[journal.name, number] for number in self._numbers}
        starts = {number: min(snapshots[number].floor, recent[number]) for number in self._numbers}
        progress.begin("events of the journal", sum(ends.values()) - sum(starts.values()))
        for number in self._numbers:
            witness, loss = self._new_witness(number), self._rules.loss(number)
            accounts, begun = snapshots[number].accounts.values(), starts[number]
            if loss is not None:
                begun = max(begun, loss.end_of(journal.name).offset)
                with self._cluster.journal(number, starts[number], begun) as events:
                    witness.fold_over_gaps(events, progress.go_on)
            with self._cluster.journal(number, begun, ends[number]) as events:
                witness.start_from_snapshots(accounts, events, bounds.ends[number], progress.go_on)
            self._witnesses[number] = witness

    def _ready(self, progress: Progress) -> Iterator[tuple[Witness, Bounds]]:
        """Each partition's witness when its turn comes: the one of the last round, else a new one at its start."""
        bounds = self._bounds()
        self._tell_hanging(bounds)
        starts = {} if len(self._witnesses) == len(self._numbers) else self._starts(bounds)
        firsts = {number: starts[number].interaction for number in starts}
        firsts |= {number: witness.next_interaction for number, witness in self._witnesses.items()}
        journal = [
            bounds.upper[self._topics.journal.name, number] for number, start in starts.items() if start.interaction
        ]
        interactions = [max(0, bounds.ends[number].interactions - first) for number, first in firsts.items()]
        what = "interactions and events before the start" if journal else "interactions"
        progress.begin(what, sum(journal) + sum(interactions))
        for number in self._numbers:
            witness = self._witnesses.get(number)
            yield witness or self._started(number, starts[number], bounds, progress), bounds

    def _bounds(self) -> Bounds:
        """What can be verified now, and the rules it was decided by, which are asked for after it."""
        bounds, known = self._cluster.bounds(), self._rules
        self._rules = self._cluster.rules(self._unrecorded)
        if self._witnesses and self._rules.longest_memory_ms > known.longest_memory_ms:
            raise ConfigurationError("the rules in force remember sessions for longer now: start the verification anew")
        for number, witness in list(self._witnesses.items()):
            if self._rules.loss(number) != known.loss(number):
                del self._witnesses[number]  # it begins anew
            else:
                witness.learn(self._rules.since_loss(number)[1], self._rules.skipped(number).keys())
        self._findings.rescues |= {told(rescue): None for rescue in self._rules.rescues}
        return bounds

    def _new_witness(self, number: int) -> Witness:
        first, changes = self._rules.since_loss(number)
        skipped = self._rules.skipped(number).keys()
        return Witness(number, len(self._numbers), self._topics, first, self._findings, changes, skipped)

    def _verify(self, witness: Witness, bounds: Bounds, progress: Progress) -> None:
        number = witness.partition
        with self._cluster.records(number, witness.resume_at, bounds) as streams:
            witness.verify(streams, bounds.ends[number], progress.go_on)

    def _starts(self, bounds: Bounds) -> dict[int, _Start]:
        interactions = self._cluster.first_offsets(self._topics.interactions, self._since_ms)
        commands = self._cluster.first_offsets(self._topics.commands, None)
        return {
            number: _Start(min(interactions[number], bounds.ends[number].interactions), commands[number])
            for number in self._numbers
        }

    def _started(self, number: int, start: _Start, bounds: Bounds, progress: Progress) -> Witness:
        """With states as they were before the first interaction: the fold of the journal up to there."""
        witness, loss = self._new_witness(number), self._rules.loss(number)
        begun, first_command = 0, start.command
        if loss is not None:
            begun, first_command = loss.end_of(self._topics.journal.name).offset, max(start.command, loss.commands)
            with self._cluster.journal(number, 0, begun) as journal:
                witness.start_after_loss(loss, journal, progress.go_on)
            if start.interaction <= loss.interactions:
                return witness
        end = bounds.upper[self._topics.journal.name, number] if start.interaction else 0
        with self._cluster.journal(number, begun, end) as journal:
            witness.start(journal, start.interaction, first_command, progress.go_on)
        return witness

    def _tell_hanging(self, bounds: Bounds) -> None:
        """Each hanging transaction once."""
        for hanging in bounds.hanging:
            place = (hanging.topic, hanging.partition, hanging.offset)
            if place in self._hanging:
                continue
            self._hanging.add(place)
            self._findings.add(
                Difference(
                    "hanging_transaction",
                    *place,
                    f"readers of what is committed wait here, {hanging.high_watermark - hanging.offset} offsets before "
                    "the end; end it with kafka-transactions.sh (find-hanging, abort)",
                )
            )


def told(rescue: Rescue) -> str:
    """A rescue in words."""
    who = f"by {rescue.by} at {rfc3339(rescue.at)}: {rescue.why}"
    match rescue:
        case RecordSkipped():
            return f"{rescue.topic}-{rescue.partition}@{rescue.offset} skipped {who}"
        case OffsetsSet():
            lost = f", {rescue.lost:,} offsets lost" if rescue.lost else ""
            return f"partition {rescue.partition} read from where its journal stood{lost}, {who}"
        case LossAccepted():
            return f"partition {rescue.partition} verified from an accepted loss on, {who}"
