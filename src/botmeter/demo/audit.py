"""Reads all topics back from their beginning and puts them to the proof, partition by partition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from botmeter.contracts.codec import type_in
from botmeter.contracts.encoding import decode_event
from botmeter.contracts.topics import Topics
from botmeter.demo import proof
from botmeter.demo.proof import Findings, Ledger
from botmeter.demo.reading import Place
from botmeter.demo.recount import Recount, Tally, steps_of
from botmeter.domain.prices import Rules
from botmeter.metering.records import Output, Record


@dataclass(slots=True)
class Audit:
    """What stands in the output topics, and what the inputs come to."""

    findings: Findings = field(default_factory=Findings)
    tally: Tally = field(default_factory=Tally)


#: Reads partitions up to the ends given, in batches; of each partition in order. None of them are empty.
Read = Callable[[Mapping[Place, int]], Iterable[list[Record]]]


class Auditor:
    """Audits one cluster, to which nothing may be written meanwhile."""

    def __init__(self, read: Read, topics: Topics, rules: Rules, ends: Mapping[Place, int]) -> None:
        """`ends` are those of all partitions of all topics."""
        self._read, self._topics, self._rules, self._ends = read, topics, rules, ends
        self._partitions = [number for topic, number in ends if topic == topics.interactions.name]
        self._records: defaultdict[Place, list[Record]] = defaultdict(list)
        self._audit = Audit()

    def run(self) -> Audit:
        """The audit of all partitions. Raises what reading raises."""
        interactions = self._topics.interactions.name
        # All but the interactions is little enough to be held in memory, and much faster read at once.
        for batch in self._read({place: end for place, end in self._ends.items() if place[0] != interactions}):
            for record in batch:
                self._records[record.topic(), record.partition()].append(record)
        for partition in self._partitions:
            self._audit_journal(partition)
            self._audit_outputs(partition)
        proof.compare_overshoot(self._audit.findings)
        return self._audit

    def _audit_journal(self, partition: int) -> None:
        """Of itself, and against the balances."""
        ledger = Ledger(self._audit.findings)
        for record in self._records[self._topics.journal.name, partition]:
            ledger.take(decode_event(record.value() or b""))
        balances = self._records[self._topics.balances.name, partition]
        latest = {(record.key() or b"").decode(): record.value() for record in balances}
        proof.compare_balances(self._audit.findings, ledger.balances(), latest)

    def _audit_outputs(self, partition: int) -> None:
        """Against what the inputs come to."""
        topics, findings = self._topics, self._audit.findings
        expected = self._recounted(partition)
        for topic in (topics.journal, topics.alerts, topics.handoffs, topics.command_results):
            found = [record.value() for record in self._records[topic.name, partition]]
            wanted = [output.value for output in expected[topic.name]]
            proof.compare_sequence(findings, f"{topic.name}, partition {partition}", wanted, found)
            findings.written[topic.name].update(type_in(value) for value in found)
        name = topics.dead_letters.name
        letters = [proof.letter_of(record.headers() or ()) for record in self._records[name, partition]]
        proof.compare_letters(findings, [proof.letter_of(output.headers) for output in expected[name]], letters)
        findings.written[name].update(reason for _, _, _, reason in letters)

    def _recounted(self, partition: int) -> Mapping[str, Sequence[Output]]:
        """By topic, what the inputs of the partition come to."""
        topics, place = self._topics, (self._topics.interactions.name, partition)
        journal = (decode_event(record.value() or b"") for record in self._records[topics.journal.name, partition])
        steps = steps_of(journal, self._records[topics.commands.name, partition])
        recount = Recount(partition, len(self._partitions), topics, self._rules, self._audit.tally)
        outputs: defaultdict[str, list[Output]] = defaultdict(list)
        for output in recount.outputs(self._read({place: self._ends[place]}), steps):
            outputs[output.topic].append(output)
        return outputs
