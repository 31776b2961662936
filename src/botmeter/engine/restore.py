"""Restores the states of a partition from the local store, the snapshots and the journal.

1. ask for the ends of journal and snapshots: high watermarks, because records may lie above an open transaction
2. open the local store; wipe it when it cannot be trusted
3. cold only: read the snapshots
4. read the journal, from where the states lack something, to its high watermark of step 1
5. write what was read into the store, chunk by chunk, each with the offset it reflects

A restore is complete when it has seen a record or the end of the partition at or past the high watermark, never because
no record came for a while: an open transaction of the previous owner holds the reader back until it is committed or
aborted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Lock
from typing import Final

from confluent_kafka import Consumer, Message
from confluent_kafka.admin import AdminClient

from botmeter.clock import Clock
from botmeter.contracts.encoding import decode_snapshot, encode_account
from botmeter.contracts.topics import Topics
from botmeter.domain.account import Account
from botmeter.domain.prices import HOUR_MS, Rules
from botmeter.domain.sessions import memory_ms
from botmeter.engine.outset import Outset
from botmeter.engine.running_state import RunningState
from botmeter.engine.snapshots import SnapshotSchedule
from botmeter.engine.store_rocksdb import RocksDbStore, wipe
from botmeter.engine.trust import (
    Job,
    SnapshotsRecreated,
    require_journal_below,
    require_journal_of,
    require_loss_known,
    require_memory,
    require_offsets,
    require_trust,
)
from botmeter.errors import InvariantViolated, TaskCorrupted
from botmeter.kafka import questions
from botmeter.kafka.reader import committed_records, first_timestamp, require_wanted
from botmeter.metering.fold import JournalFold
from botmeter.metering.pipeline import Meter
from botmeter.metering.state import PartitionState
from botmeter.metering.store import Store, StoreMark, StoreUpdate

log = logging.getLogger(__name__)

#: How often a long restore logs its progress.
_PROGRESS_S: Final = 5.0
#: Events folded between two writes to the store: large batches are cheap, and limit what a crash loses.
_WRITE_EVENTS: Final = 50_000
#: The clocks of two brokers may differ by this much: a partition's new leader may be behind the old one.
_CLOCK_MARGIN_MS: Final = HOUR_MS


@dataclass(frozen=True, slots=True)
class RestoreSettings:
    """The settings of restores."""

    topics: Topics
    rules: Rules
    partitions: int
    data_dir: Path
    #: Maximum number of windows in memory, per partition.
    cache_windows: int
    snapshot_interval_s: float
    #: A store that was not written to for longer is restored cold.
    store_max_age_ms: int


class _Progress:
    """The states being restored. Below `floor`, no account's snapshot lacks an event, except those `postponed`."""

    def __init__(self, store: Store, state: PartitionState, floor: int, postponed: Mapping[str, int]) -> None:
        self.store, self.state, self.floor, self.postponed = store, state, floor, postponed
        #: The version of each account's latest snapshot, if it was read.
        self.snapshot_versions: dict[bytes, int] = {}
        #: The offset of the first event that an account's snapshot may lack.
        self.pending: dict[bytes, int] = {account_id.encode(): since for account_id, since in postponed.items()}


class Restorer:
    """Restores partitions, each call on its own thread; every call blocks until it is done or stopped."""

    def __init__(
        self, settings: RestoreSettings, make_reader: Callable[[], Consumer], admin: AdminClient, clock: Clock
    ) -> None:
        self._settings, self._clock = settings, clock
        self._outset = Outset(settings.topics, settings.rules, admin, clock)
        self._make_reader = make_reader
        # A new reader takes a second to find its brokers, so readers are reused.
        self._idle_readers: SimpleQueue[Consumer] = SimpleQueue()
        self._admin = admin
        #: The number of journal events that running restores have still to read, by partition.
        self.left: dict[int, int] = {}
        # When a partition is reassigned at once, its abandoned restore may still use the store.
        self._locks = [Lock() for _ in range(settings.partitions)]

    def restore(self, partition: int, stop: Flag) -> RunningState:
        """Returns the states of `partition`, with the positions to read its inputs from.

        Raises RestoreStopped when `stop` is set meanwhile, InvariantViolated when the journal has a gap,
        PartitionRefused when only one of journal and committed offsets is left, TaskCorrupted when the store fails
        again after it was wiped.
        """
        with self._locks[partition], self._reader() as reader:
            try:
                return self._restore(self._outset.job(reader, partition, stop))
            finally:
                self.left.pop(partition, None)

    def rescued(self, partitions: Iterable[int], stop: Flag) -> set[int]:
        """Returns the partitions that were rescued since their last restore. Raises like `restore`."""
        with self._reader() as reader:
            return self._outset.rescued(reader, partitions, stop)

    @property
    def beginnings(self) -> dict[int, int]:
        """The first offset of the interactions, for partitions without any commit so far."""
        return self._outset.beginnings

    @contextmanager
    def _reader(self) -> Iterator[Consumer]:
        try:
            reader = self._idle_readers.get_nowait()
        except Empty:
            reader = self._make_reader()
        try:
            yield reader
        finally:
            self._idle_readers.put(reader)

    def close(self) -> None:
        """Closes the readers; no restore may be running."""
        while not self._idle_readers.empty():
            self._idle_readers.get().close()

    def _restore(self, job: Job) -> RunningState:
        path = self._settings.data_dir / f"partition-{job.partition}"
        had_store = path.exists()
        try:
            return self._from(path, job)
        except InvariantViolated as violated:
            if not had_store:
                raise
            # Either the journal or the store is wrong; a restore from the journal alone shows which.
            log.warning(
                "partition %d: %s; its store is wiped, to be restored from the journal", job.partition, violated
            )
        except TaskCorrupted as corrupted:
            log.warning("%s; wiped, to be restored from the journal", corrupted)
            if isinstance(corrupted, SnapshotsRecreated):
                job = replace(job, snapshots=replace(job.snapshots, end=job.snapshots.begin))
        wipe(path)  # only here: the traceback is gone, which may have kept the store open
        return self._from(path, job)

    def _from(self, path: Path, job: Job) -> RunningState:
        began_s = self._clock.monotonic_s()
        with _opened(path) as store:
            mark = store.mark()
            kind = "cold" if mark is None else "warm"
            progress, start = self._from_snapshots(job, store) if mark is None else self._from_store(job, store, mark)
            read = self._fold_journal(job, progress, start)
            require_offsets(job, progress.state)
            self._outset.note_beginning(job)
            require_wanted(job.partition, job.stop)  # else the store is closed
        log.info(
            "partition %d: %s restore of %d accounts, %d events of the journal, in %.1f s",
            job.partition, kind, len(progress.state.accounts), read, self._clock.monotonic_s() - began_s,
        )  # fmt: skip
        return self._restored(job, progress)

    def _restored(self, job: Job, progress: _Progress) -> RunningState:
        settings, state, positions = self._settings, progress.state, job.positions
        next_, partitions = positions.interactions, settings.partitions
        state.begin_batch()
        pending = {key: (state.accounts[key].account, since) for key, since in progress.pending.items()}
        meter = Meter(job.partition, partitions, state, settings.topics, settings.rules, next_)
        meter.skipped = job.to_skip(settings.topics)
        return RunningState(
            meter=meter,
            store=progress.store,
            snapshots=SnapshotSchedule(settings.snapshot_interval_s, pending, job.snapshots.topic_id),
            journal_offset=job.journal.end,
            journal_topic_id=job.journal.topic_id,
            interactions_from=positions.interactions,
            commands_from=positions.commands,
            memory_ms=memory_ms(settings.rules),
            clock=self._clock,
            rules_end=job.rules_end,
            loss=job.loss_number,
        )

    def _state(self, store: Store) -> PartitionState:
        return PartitionState(store, self._settings.rules, self._settings.cache_windows)

    # --- Step 2: the local store ---

    def _from_store(self, job: Job, store: Store, mark: StoreMark) -> tuple[_Progress, int]:
        """Returns the accounts of the store, and the first journal offset that it or a snapshot lacks.

        Raises TaskCorrupted when the store cannot be trusted, PartitionRefused when its journal is gone.
        """
        require_loss_known(job, mark)
        require_journal_of(job, store)
        require_trust(job, mark, self._settings.store_max_age_ms)
        require_memory(job, mark, memory_ms(self._settings.rules))
        progress = _Progress(store, self._state(store), mark.snapshot_floor, mark.postponed)
        if mark.pending is None:
            return progress, min(mark.journal_offset, mark.snapshot_floor)
        pending = {account_id.encode(): since for account_id, since in mark.pending.items()}
        # An account of a batch that was never committed may be among them.
        progress.pending |= {key: since for key, since in pending.items() if key in progress.state.accounts}
        return progress, mark.journal_offset

    # --- Step 3: snapshots ---

    def _from_snapshots(self, job: Job, store: Store) -> tuple[_Progress, int]:
        """Returns the accounts of the snapshots, and the first journal offset that they may lack.

        Raises PartitionRefused when they reflect more events than the journal has.
        """
        state, floor = self._state(store), job.journal.begin
        name, ends = self._settings.topics.snapshots.name, (job.snapshots.begin, job.snapshots.end)
        with closing(committed_records(job.reader, name, job.partition, *ends, job.stop)) as chunks:
            for message in chain.from_iterable(chunks):
                account, journal_offset = _snapshot(message)
                state.put_account(account)
                floor = max(floor, journal_offset)
        require_journal_below(job, state, floor)
        progress = _Progress(store, state, floor, postponed={})
        progress.snapshot_versions = {key: account.version for key, account in state.accounts.items()}
        start = min(floor, self._windows_from(job)) if state.accounts else floor
        self._write(job, progress, state.folded(), start)
        return progress, start

    def _windows_from(self, job: Job) -> int:
        """Returns the offset of the first event whose window or handoff may still matter.

        This depends on the next interaction to be taken: a worker that was down for a week starts with interactions of
        last week. An interaction not written yet gets a later timestamp than all that the brokers gave so far.
        """
        topics = self._settings.topics
        inputs, next_ = topics.interactions.name, job.positions.interactions
        next_at = first_timestamp(job.reader, inputs, job.partition, next_, job.stop)
        if next_at is None:
            next_at = self._latest_timestamp(job.partition)
        since = next_at - memory_ms(self._settings.rules) - _CLOCK_MARGIN_MS
        return questions.offsets_at(self._admin, topics.journal.name, [job.partition], max(0, since))[job.partition]

    def _latest_timestamp(self, partition: int) -> int:
        """Returns the highest timestamp that a broker gave an input record, UTC ms, never the worker's clock.

        When retention has deleted all of them, returns the journal's: its records carry the times of their inputs.
        """
        topics = self._settings.topics
        inputs = (topics.interactions.name, topics.commands.name)
        latest = [questions.latest_timestamp(self._admin, name, partition) for name in inputs]
        known = [at for at in latest if at is not None]
        return max(known) if known else questions.latest_timestamp(self._admin, topics.journal.name, partition) or 0

    # --- Steps 4 and 5: the journal ---

    def _fold_journal(self, job: Job, progress: _Progress, start: int) -> int:
        """Folds the journal from `start` into the states; returns the number of events."""
        read, written, logged_s, end = 0, 0, self._clock.monotonic_s(), job.journal.end
        name, begin = self._settings.topics.journal.name, max(start, job.journal.begin)
        gaps_below = job.lost_below(name, job.journal)
        fold = JournalFold(progress.state, progress.snapshot_versions, progress.pending, gaps_below)
        progress.state.begin_batch()
        with closing(committed_records(job.reader, name, job.partition, begin, end, job.stop)) as chunks:
            for chunk in chunks:
                fold.take(chunk)  # type: ignore[arg-type]  # a record without an error has key, value, offset
                read += len(chunk)
                offset = (chunk[-1].offset() or 0) + 1
                self.left[job.partition] = max(0, end - offset)
                if read - written >= _WRITE_EVENTS:
                    self._write_folded(job, progress, fold, offset)
                    written = read
                if self._clock.monotonic_s() - logged_s > _PROGRESS_S:
                    logged_s = self._clock.monotonic_s()
                    log.info("partition %d: restoring, journal offset %d of %d", job.partition, offset, end)
        if read > written:
            self._write_folded(job, progress, fold, end)
        return read

    def _write_folded(self, job: Job, progress: _Progress, fold: JournalFold, journal_offset: int) -> None:
        fold.settle()
        self._write(job, progress, progress.state.changes.accounts, journal_offset)
        progress.state.begin_batch()

    def _write(self, job: Job, progress: _Progress, accounts: Mapping[bytes, Account], journal_offset: int) -> None:
        changes = progress.state.changes
        progress.store.write(
            StoreUpdate(
                accounts={account.account_id: encode_account(account) for account in accounts.values()},
                windows=changes.windows,
                chats=changes.chats,
                mark=StoreMark(
                    journal_offset=journal_offset,
                    snapshot_floor=progress.floor,
                    topic_id=job.journal.topic_id,
                    written_at=self._clock.now_ms(),
                    snapshots_topic_id=job.snapshots.topic_id,
                    postponed=progress.postponed,
                    memory_ms=memory_ms(self._settings.rules),
                    loss=job.loss_number,
                ),
            )
        )


@contextmanager
def _opened(path: Path) -> Iterator[Store]:
    """Yields the store, and closes it only if the restore fails."""
    store = RocksDbStore(path)
    try:
        yield store
    except BaseException:
        store.close()
        raise


def _snapshot(message: Message) -> tuple[Account, int]:
    try:
        return decode_snapshot(message.value() or b"")
    except ValueError as error:
        raise InvariantViolated(f"the snapshot at offset {message.offset()} cannot be read: {error}") from error
