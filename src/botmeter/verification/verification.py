"""All partitions of a cluster, verified one after another, once or again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from botmeter.contracts.topics import Topics
from botmeter.domain.prices import Rules
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


class Verification:
    """Verifies all partitions up to where the workers are now; a further round goes on from there."""

    def __init__(
        self,
        cluster: VerifiedCluster,
        topics: Topics,
        rules: Rules,
        partitions: int,
        findings: Findings,
        since_ms: int | None = None,
    ) -> None:
        """`since_ms` (UTC ms): the first round begins with the interactions of that moment, else with the first."""
        self._cluster, self._topics, self._findings = cluster, topics, findings
        self._since_ms = since_ms
        self._witnesses = [Witness(number, partitions, topics, rules, findings) for number in range(partitions)]
        self._is_started = False
        self._hanging: set[tuple[str, int, int]] = set()

    def round(self, progress: Progress) -> None:
        """One round over all partitions. Raises what reading raises."""
        bounds = self._cluster.bounds()
        self._tell_hanging(bounds)
        if not self._is_started:
            self._start(bounds, progress)
        left = {
            witness.partition: max(0, bounds.ends[witness.partition].interactions - witness.next_interaction)
            for witness in self._witnesses
        }
        progress.begin("interactions", sum(left.values()))
        for witness in self._witnesses:
            number = witness.partition
            with self._cluster.records(number, witness.resume_at, bounds) as streams:
                witness.verify(streams, bounds.ends[number], progress.go_on)

    def _start(self, bounds: Bounds, progress: Progress) -> None:
        """States as they were before the first interaction that is verified: the fold of the journal up to there."""
        topics = self._topics
        interactions = self._cluster.first_offsets(topics.interactions, self._since_ms)
        commands = self._cluster.first_offsets(topics.commands, None)
        if any(interactions.values()):
            journal_ends = (bounds.upper[topics.journal.name, number] for number in interactions)
            progress.begin("events before the start", sum(journal_ends))
        for witness in self._witnesses:
            number = witness.partition
            end = bounds.upper[topics.journal.name, number]
            first = min(interactions[number], bounds.ends[number].interactions)
            with self._cluster.journal(number, end if first else 0) as journal:
                witness.start(journal, first, commands[number], progress.go_on)
        self._is_started = True

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
