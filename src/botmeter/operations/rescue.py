"""Rescues of failed partitions: plans each with its consequences, executes it, and records by whom and why.

A rescue is one transaction: its message in the log of the rules, and the new offsets of the inputs, if they change. No
restore can complete while a message is being written, since restores read that log to its end. A worker that began to
restore the partition earlier sends its offsets first, and checks at its first commit whether that log has grown. A
rescue writes its message first, and then reads the offsets, waiting for a transaction that contains newer ones. Either
the worker commits and the rescue is aborted, or the worker sees the message and aborts. So at most one succeeds.

A worker makes a skipped record a dead letter, and commits its offset in the same transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from threading import Event as Flag
from typing import Final

from botmeter.contracts import catalogue
from botmeter.contracts.instants import rfc3339
from botmeter.contracts.partition_notes import skip_command
from botmeter.contracts.rescues import LossAccepted, OffsetsSet, OutputEnd, RecordSkipped, Rescue
from botmeter.errors import ConfigurationError, TaskMigrated
from botmeter.kafka import clients, questions
from botmeter.kafka.exactly_once import ExactlyOnce, Note, Sent
from botmeter.kafka.reader import committed_records
from botmeter.kafka.rules_log import RULES_PARTITION
from botmeter.operations.evidence import Evidence, Outputs
from botmeter.operations.partitions import Committed, Extent, Partition, PartitionDesk
from botmeter.operations.rules import transactional_id

_SHOWN_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Author:
    """Who executes a rescue, and why."""

    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A planned rescue: its description in lines, its message, and the `committed` offsets that it was planned on."""

    lines: tuple[str, ...]
    rescue: Rescue
    committed: Committed


class RescueDesk:
    """Plans rescues and executes them. Used by one thread."""

    def __init__(
        self, desk: PartitionDesk, author: Author, on_progress: Callable[[int], None] = lambda _: None
    ) -> None:
        """`on_progress` is called repeatedly while planning, with the number of records read since its last call."""
        self._desk, self._author, self._on_progress = desk, author, on_progress
        self._inputs = (desk.topics.interactions.name, desk.topics.commands.name)

    # --- Skipping a record ---

    def skip(self, number: int, topic: str, offset: int) -> Plan:
        """Plans to skip the record at which a partition failed. Raises ConfigurationError for any other record."""
        partition = self._failed(number, skip_command(number, topic, offset))
        head = self._head(partition, topic)
        if head is None or head[0] != offset:
            failed_at = "its end" if head is None else f"{topic}@{head[0]}"
            raise ConfigurationError(f"partition {number} of {topic} stands at {failed_at}, not at {offset}")
        _, description = head
        lines = (
            f"{topic}@{offset} becomes a dead letter with the reason skipped: {description}",
            "An interaction that is skipped opens no session; a command that is skipped is not answered.",
            f"Partition {number} goes on after it. Sending it back: botmeter dead-letters redrive --reason skipped",
        )
        rescue = RecordSkipped(0, _now_ms(), *self._signed, number, topic, offset)
        return Plan(lines, rescue, partition.committed)

    def _head(self, partition: Partition, topic: str) -> tuple[int, str] | None:
        """Returns offset and description of the first record that is not taken yet."""
        extent = partition.extents[topic]
        start = max(partition.committed.offsets[topic] or 0, extent.begin)
        chunks = committed_records(self._desk.reader, topic, partition.number, start, extent.end, Flag())
        with closing(chunks):
            for chunk in chunks:
                record = chunk[0]
                key = (record.key() or b"").decode("utf-8", "backslashreplace")
                description = f"key {key}, {len(record.value() or b''):,} bytes, of {rfc3339(record.timestamp()[1])}"
                return record.offset() or 0, description
        return None

    # --- Deleted inputs ---

    def restore_from_inputs(self, number: int) -> Plan:
        """Plans to continue from the first record that an input still has. Raises ConfigurationError if all exist."""
        partition = self._failed(number, f"botmeter partition restore-from {number} inputs")
        taken = {topic: partition.committed.offsets[topic] or 0 for topic in self._inputs}
        offsets = {topic: _available(at, partition.extents[topic]) for topic, at in taken.items()}
        deleted = {topic: offsets[topic] - at for topic, at in taken.items() if at < offsets[topic]}
        recreated = [topic for topic, at in taken.items() if at > offsets[topic]]
        lines = [
            f"{topic}: {count:,} offsets from {taken[topic]} on were deleted before they were taken: never metered."
            for topic, count in deleted.items()
        ]
        lines += [_recreated(topic, taken[topic]) for topic in recreated]
        if not lines:
            raise ConfigurationError(f"partition {number} has all records of its inputs that are to be taken")
        lines += _read_from(offsets)
        lost = sum(deleted.values())
        rescue = self._loss(partition, offsets) if recreated else self._offsets_set(number, offsets, lost)
        return Plan(tuple(lines), rescue, partition.committed)

    # --- A journal that has lost events, or whose offsets are gone ---

    def restore_from_journal(self, number: int) -> Plan:
        """Plans to continue with the events that the journal has. Raises ConfigurationError if it has not failed so."""
        partition = self._failed(number, f"botmeter partition restore-from {number} journal")
        evidence = Outputs(self._desk, number, self._on_progress).evidence(self._desk.history().loss(number))
        summary = f"The journal has {evidence.events:,} events of {len(evidence.versions):,} accounts"
        taken = {
            topic: evidence.by_all_outputs[topic] if committed is None else committed
            for topic, committed in partition.committed.offsets.items()
        }
        offsets = {topic: _available(at, partition.extents[topic]) for topic, at in taken.items()}
        recreated = [topic for topic, at in taken.items() if at > offsets[topic]]
        if not partition.committed.is_whole and evidence.is_whole and not recreated:
            lost = sum(offsets[topic] - at for topic, at in taken.items())
            lines = [f"{summary}, and is whole. {lost:,} offsets of the inputs were deleted meanwhile: never metered."]
            rescue: Rescue = self._offsets_set(number, offsets, lost)
        else:
            offsets, again = self._after_a_loss(partition, evidence, offsets)
            lines = [
                f"{summary}; {evidence.gaps:,} do not follow the one before, {evidence.unreadable:,} cannot be read.",
                *_lacking(evidence),
                again,
                *(_recreated(topic, taken[topic]) for topic in recreated),
                "What missing events changed is forgotten: sessions charged in them alone are unpaid.",
                f"Partition {number} is restored cold: {evidence.events:,} events are read.",
            ]
            rescue = self._loss(partition, offsets)
        return Plan((*lines, *_read_from(offsets)), rescue, partition.committed)

    def _after_a_loss(
        self, partition: Partition, evidence: Evidence, current: dict[str, int]
    ) -> tuple[dict[str, int], str]:
        """Returns the offsets where the journal ends, if the inputs still have the records after it; else `current`."""
        if not evidence.lacking:
            return current, "Nothing is decided again."
        back = {topic: min(at, evidence.by_journal[topic]) for topic, at in current.items()}
        if any(at < partition.extents[topic].begin for topic, at in back.items()):
            return current, "The inputs no longer have what these events came from: they are lost for good."
        again = " and ".join(f"{at - back[topic]:,} offsets of {topic}" for topic, at in current.items())
        return back, (
            f"The inputs still have what they came from: {again} are decided again. Alerts, handoffs, results and dead "
            "letters of these come a second time, with the same ce_id where the same is decided."
        )

    def _offsets_set(self, number: int, offsets: Mapping[str, int], lost: int) -> OffsetsSet:
        interactions, commands = (offsets[topic] for topic in self._inputs)
        return OffsetsSet(0, _now_ms(), *self._signed, number, interactions, commands, lost)

    def _loss(self, partition: Partition, offsets: Mapping[str, int]) -> LossAccepted:
        admin, topics, number = self._desk.admin, self._desk.topics, partition.number
        outputs = (
            topics.journal, topics.balances, topics.alerts, topics.handoffs, topics.command_results,
            topics.dead_letters, topics.snapshots,
        )  # fmt: skip
        names = [topic.name for topic in outputs]
        ids = questions.topic_ids(admin, names)
        ends = {name: questions.end_offsets(admin, name, [number])[number] for name in names}
        output_ends = tuple(OutputEnd(name, ids[name], ends[name]) for name in names)
        interactions, commands = (offsets[topic] for topic in self._inputs)
        return LossAccepted(0, _now_ms(), *self._signed, number, interactions, commands, output_ends)

    # --- Execution ---

    def do(self, plan: Plan) -> Rescue:
        """Records the rescue. Raises ConfigurationError when something changed since it was planned."""
        desk, settings = self._desk, self._desk.settings
        producer = clients.producer_config(
            settings.kafka,
            settings.bootstrap_servers,
            transactional_id(settings.group),
            settings.transaction_timeout_ms,
        )
        notes = {}
        if not isinstance(plan.rescue, RecordSkipped):
            offsets = (plan.rescue.interactions, plan.rescue.commands)
            places = [(topic, plan.rescue.partition) for topic in self._inputs]
            notes = {place: Note(offset, "") for place, offset in zip(places, offsets, strict=True)}
        with ExactlyOnce(producer, desk.reading) as recording:
            rescue = replace(plan.rescue, number=desk.history().length + 1)
            value = catalogue.RULES.encode(rescue)
            message = Sent(desk.topics.rules.name, RULES_PARTITION, None, value, [])
            try:
                recording.send([message], notes, lambda: self._require_unchanged(plan))
            except TaskMigrated as error:
                raise ConfigurationError(
                    "another process records a rescue or rules at the same time; nothing was done: try again"
                ) from error
        return rescue

    def _require_unchanged(self, plan: Plan) -> None:
        number = plan.rescue.partition
        if self._desk.settled(number) != plan.committed:
            raise ConfigurationError(
                f"partition {number} was metered meanwhile; nothing was done: see botmeter partition status {number}"
            )

    @property
    def _signed(self) -> tuple[str, str]:
        return self._author.by, self._author.why

    def _failed(self, number: int, command: str) -> Partition:
        """Returns the partition. Raises ConfigurationError unless it has failed and its remedy is this command."""
        [partition] = self._desk.partitions([number])
        if partition.state != "FAILED":
            has = "no worker has it" if partition.owner is None else f"it is metered by {partition.owner}"
            raise ConfigurationError(f"partition {number} has not failed ({has}): there is nothing to rescue")
        if command not in (partition.remedy or ""):
            raise ConfigurationError(
                f"partition {number} failed for something else: {partition.reason}; {partition.remedy}"
            )
        return partition


def _lacking(evidence: Evidence) -> Iterator[str]:
    if evidence.lacking:
        worst = sorted(evidence.lacking.items(), key=lambda item: -item[1])
        named = ", ".join(f"{account_id} {versions:,}" for account_id, versions in worst[:_SHOWN_MAX])
        more = f", and {len(worst) - _SHOWN_MAX:,} others" if len(worst) > _SHOWN_MAX else ""
        yield f"By their balances {len(worst):,} accounts had more events: {named}{more}."


def _read_from(offsets: Mapping[str, int]) -> Iterator[str]:
    for topic, offset in offsets.items():
        yield f"{topic} is read from offset {offset} on."


def _available(offset: int, extent: Extent) -> int:
    """Returns the offset if the partition has it, else its first offset."""
    return offset if extent.begin <= offset <= extent.end else extent.begin


def _recreated(topic: str, taken: int) -> str:
    return (
        f"{topic} ends before the offset {taken} that was taken last: it was recreated or has lost records. All that "
        "is there is metered."
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
