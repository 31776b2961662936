"""What a restore refuses to build upon, and what it wipes first.

A refusal is a PartitionRefused: something outside has to be mended, and going on would charge twice or forget what was
charged. A store that only cannot be trusted is TaskCorrupted: the journal has all that it had.
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
    """A partition of the journal or of the snapshots as it was when the restore began."""

    topic_id: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Positions:
    """Where the inputs are to be read from: the committed offsets, else the beginnings."""

    interactions: int
    commands: int
    was_committed: bool


@dataclass(frozen=True, slots=True)
class Job:
    """One restore: of what, what it reads with, and what it found at its beginning."""

    partition: int
    reader: Consumer
    stop: Flag
    positions: Positions
    snapshots: Log
    journal: Log
    #: When it began, by the worker's clock, UTC ms.
    began_at: int
    #: Up to where the log of the rules and rescues was read, which this restore goes by.
    rules_end: int
    #: The last loss of the partition that somebody has accepted.
    loss: LossAccepted | None
    #: The records that people skip, by topic and offset.
    skipped: Mapping[tuple[str, int], RecordSkipped]

    @property
    def loss_number(self) -> int:
        """That of the accepted loss; 0 without one."""
        return 0 if self.loss is None else self.loss.number

    def to_skip(self, topics: Topics) -> dict[tuple[str, int], str]:
        """The records that are still to be skipped, by topic and offset, each with why."""
        taken = {topics.interactions.name: self.positions.interactions, topics.commands.name: self.positions.commands}
        return {place: each.reason for place, each in self.skipped.items() if each.offset >= taken[each.topic]}

    def lost_below(self, topic: str, log: Log) -> int:
        """The offset of the journal or of the snapshots below which the accepted loss lies; 0 without one."""
        return 0 if self.loss is None else self.loss.reaches_to(topic, log.topic_id)


class SnapshotsMadeAnew(TaskCorrupted):
    """The snapshots topic is another than the store knew.

    Recovery: as for any, but without the snapshots of the new topic. A worker that did not know may have written them,
    with offsets that speak for accounts whose snapshots are gone.
    """


def require_trust(job: Job, mark: StoreMark, age_max_ms: int) -> None:
    """Raises TaskCorrupted where the store must not be built upon, such as one older than `age_max_ms`.

    Raises PartitionRefused where the store reflects more than its journal has: an unclean election lost events.
    """
    place, journal = f"the store of partition {job.partition}", job.journal
    if mark.topic_id != journal.topic_id:
        raise TaskCorrupted(f"{place}: the journal topic was made anew")
    if mark.snapshots_topic_id != job.snapshots.topic_id:
        raise SnapshotsMadeAnew(f"{place}: the snapshots topic was made anew")
    if mark.journal_offset > journal.end:
        raise PartitionRefused(
            f"{place} reflects the journal up to offset {mark.journal_offset}, but the journal ends at {journal.end}: "
            "committed events were lost, and going on would charge and number anew what was charged and told",
            f"bring the journal's records back, or accept the loss: botmeter partition restore-from {job.partition} "
            "journal",
        )
    if mark.journal_offset < journal.begin:
        raise TaskCorrupted(f"{place}: the journal begins at {journal.begin}, after its offset {mark.journal_offset}")
    if job.began_at - mark.written_at > age_max_ms:
        raise TaskCorrupted(f"{place}: it is too old")


def require_loss_known(job: Job, mark: StoreMark) -> None:
    """Raises TaskCorrupted where a loss was accepted that the store does not know of: it may hold what is lost."""
    if mark.loss != job.loss_number:
        raise TaskCorrupted(f"the store of partition {job.partition}: it is from before an accepted loss")


def require_memory(job: Job, mark: StoreMark, wanted_ms: int) -> None:
    """Raises TaskCorrupted where the store was swept of session starts that matter under the rules in force (`C5`)."""
    if mark.memory_ms < wanted_ms:
        raise TaskCorrupted(
            f"the store of partition {job.partition}: it remembers session starts for "
            f"{mark.memory_ms / HOUR_MS:g} h, the rules in force ask for {wanted_ms / HOUR_MS:g} h"
        )


def require_offsets(job: Job, state: PartitionState) -> None:
    """Raises PartitionRefused where a journal tells of accounts, but nothing of how far the inputs were taken.

    Judged by what was read: a journal may hold nothing but the first transaction of a worker that died in it.
    """
    if state.accounts and not job.positions.was_committed:
        raise PartitionRefused(
            f"partition {job.partition} has a journal, but its inputs have no committed offsets: reading them from the "
            "beginning would charge old sessions again",
            "check BOTMETER_GROUP and the broker's offsets.retention.minutes; if the offsets are gone, run: "
            f"botmeter partition restore-from {job.partition} journal",
        )


def require_journal_of(job: Job, store: Store) -> None:
    """Raises PartitionRefused where the journal of a store's accounts is gone, and with it what was charged.

    The store is kept, for the next start to find. Without committed offsets all is new but the data directory, and the
    store is wiped.
    """
    if job.journal.end == 0 and job.positions.was_committed and any(True for _ in store.accounts()):
        raise PartitionRefused(
            f"partition {job.partition} has a local store with accounts and committed offsets, but an empty journal: "
            "going on would forget all that was bought and charged",
            "bring the journal topic back with its records, or accept the loss: botmeter partition restore-from "
            f"{job.partition} journal",
        )


def require_journal_below(job: Job, state: PartitionState, floor: int) -> None:
    """Raises PartitionRefused where snapshots tell of more than the journal holds; each version took an offset.

    After an accepted loss some versions have none.
    """
    versions = sum(account.version for account in state.accounts.values()) if job.loss is None else 0
    told = max(floor, versions)
    if told > job.journal.end:
        raise PartitionRefused(
            f"the journal of partition {job.partition} ends at offset {job.journal.end}, but its snapshots tell of "
            f"events up to {told} at least: the topic was made anew or has lost records, and going on would give used "
            "sessions again",
            "bring the journal topic back with its records, or accept the loss: botmeter partition restore-from "
            f"{job.partition} journal",
        )
