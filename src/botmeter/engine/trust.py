"""The checks of a restore: what it refuses to continue from, and which stores it wipes.

PartitionRefused: an operator has to fix something outside; to continue would charge twice or lose charged sessions.
TaskCorrupted: only the store cannot be trusted, and the journal has everything that it contained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event as Flag

from confluent_kafka import Consumer

from botmeter.contracts.rescues import LossAccepted, RecordSkipped
from botmeter.contracts.topics import Topics
from botmeter.domain.prices import HOUR_MS
from botmeter.errors import PartitionRefused, TaskCorrupted
from botmeter.metering.state import PartitionState
from botmeter.metering.store import Store, StoreMark


@dataclass(frozen=True, slots=True)
class Log:
    """A partition of the journal or of the snapshots when the restore began."""

    topic_id: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Positions:
    """The offsets from which the inputs are read: the committed ones, else the first ones."""

    interactions: int
    commands: int
    was_committed: bool


@dataclass(frozen=True, slots=True)
class Job:
    """One restore: the partition, the reader, and what was read before it began."""

    partition: int
    reader: Consumer
    stop: Flag
    positions: Positions
    snapshots: Log
    journal: Log
    #: When the restore began, by the worker's clock, UTC ms.
    began_at: int
    #: The offset up to which the log of the rules and rescues was read for this restore.
    rules_end: int
    #: The last accepted loss of the partition.
    loss: LossAccepted | None
    #: The records that operators skip, by topic and offset.
    skipped: Mapping[tuple[str, int], RecordSkipped]

    @property
    def loss_number(self) -> int:
        """The number of the accepted loss; 0 without one."""
        return 0 if self.loss is None else self.loss.number

    def to_skip(self, topics: Topics) -> dict[tuple[str, int], str]:
        """Returns the records that are still to be skipped, by topic and offset, each with its reason."""
        taken = {topics.interactions.name: self.positions.interactions, topics.commands.name: self.positions.commands}
        return {place: each.reason for place, each in self.skipped.items() if each.offset >= taken[each.topic]}

    def lost_below(self, topic: str, log: Log) -> int:
        """Returns the offset of the journal or snapshots below which the accepted loss lies; 0 without one."""
        return 0 if self.loss is None else self.loss.reaches_to(topic, log.topic_id)


class SnapshotsRecreated(TaskCorrupted):
    """The snapshots topic was recreated since the store was written.

    Recovery: as for any TaskCorrupted, but without the snapshots of the new topic. A worker that had not noticed may
    have written them, with floors that do not include the accounts whose snapshots are gone.
    """


def require_trust(job: Job, mark: StoreMark, age_max_ms: int) -> None:
    """Raises TaskCorrupted when the store cannot be trusted, such as one older than `age_max_ms`.

    Raises PartitionRefused when the store reflects more than its journal has: an unclean election lost events.
    """
    place, journal = f"the store of partition {job.partition}", job.journal
    if mark.topic_id != journal.topic_id:
        raise TaskCorrupted(f"{place}: the journal topic was recreated")
    if mark.snapshots_topic_id != job.snapshots.topic_id:
        raise SnapshotsRecreated(f"{place}: the snapshots topic was recreated")
    if mark.journal_offset > journal.end:
        raise PartitionRefused(
            f"{place} reflects the journal up to offset {mark.journal_offset}, but the journal ends at {journal.end}: "
            "committed events were lost, and going on would charge sessions again and reuse the versions of events",
            f"bring the journal's records back, or accept the loss: botmeter partition restore-from {job.partition} "
            "journal",
        )
    if mark.journal_offset < journal.begin:
        raise TaskCorrupted(f"{place}: the journal begins at {journal.begin}, after its offset {mark.journal_offset}")
    if job.began_at - mark.written_at > age_max_ms:
        raise TaskCorrupted(f"{place}: it is too old")


def require_loss_known(job: Job, mark: StoreMark) -> None:
    """Raises TaskCorrupted when a loss was accepted after the store was written: it may contain lost events."""
    if mark.loss != job.loss_number:
        raise TaskCorrupted(f"the store of partition {job.partition}: it is from before an accepted loss")


def require_memory(job: Job, mark: StoreMark, wanted_ms: int) -> None:
    """Raises TaskCorrupted when the store lacks swept session starts that matter under the rules in force (`C5`)."""
    if mark.memory_ms < wanted_ms:
        raise TaskCorrupted(
            f"the store of partition {job.partition}: it remembers session starts for "
            f"{mark.memory_ms / HOUR_MS:g} h, the rules in force ask for {wanted_ms / HOUR_MS:g} h"
        )


def require_offsets(job: Job, state: PartitionState) -> None:
    """Raises PartitionRefused when the journal has accounts, but no offsets of the inputs are committed.

    The states decide, not the journal's end: it may contain only the aborted first transaction of a killed worker.
    """
    if state.accounts and not job.positions.was_committed:
        raise PartitionRefused(
            f"partition {job.partition} has a journal, but its inputs have no committed offsets: reading them from the "
            "beginning would charge old sessions again",
            "check BOTMETER_GROUP and the broker's offsets.retention.minutes; if the offsets are gone, run: "
            f"botmeter partition restore-from {job.partition} journal",
        )


def require_journal_of(job: Job, store: Store) -> None:
    """Raises PartitionRefused when the journal of a store's accounts is gone, and with it the charged sessions.

    The store is kept for the next start. Without committed offsets only the data directory is old, and the store is
    wiped.
    """
    if job.journal.end == 0 and job.positions.was_committed and any(True for _ in store.accounts()):
        raise PartitionRefused(
            f"partition {job.partition} has a local store with accounts and committed offsets, but an empty journal: "
            "going on would forget all that was bought and charged",
            "bring the journal topic back with its records, or accept the loss: botmeter partition restore-from "
            f"{job.partition} journal",
        )


def require_journal_below(job: Job, state: PartitionState, floor: int) -> None:
    """Raises PartitionRefused when snapshots reflect more events than the journal has: each version took an offset.

    After an accepted loss some versions have none.
    """
    versions = sum(account.version for account in state.accounts.values()) if job.loss is None else 0
    end = max(floor, versions)
    if end > job.journal.end:
        raise PartitionRefused(
            f"the journal of partition {job.partition} ends at offset {job.journal.end}, but its snapshots reflect "
            f"events up to {end} at least: the topic was recreated or has lost records, and going on would give used "
            "sessions again",
            "bring the journal topic back with its records, or accept the loss: botmeter partition restore-from "
            f"{job.partition} journal",
        )
