"""Bringing the states of a partition back: from the local store, the snapshots and the journal.

1. ask for the ends of journal and snapshots: high watermarks, because records may lie above an open transaction
2. open the local store; wipe it when it cannot be trusted
3. cold only: read the snapshots
4. read the journal, from where the states lack something, to its high watermark of step 1
5. write what was read into the store, chunk by chunk, each with the offset it reflects

A restore is done when a record or the end of the partition at or past the high watermark was seen, never because
nothing came for a while: an open transaction of the previous owner holds the reader back until it is committed or
aborted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Lock
from typing import Final

from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from botmeter.contracts.encoding import decode_event, decode_snapshot, encode_account
from botmeter.contracts.topics import Topics
from botmeter.domain import events as ev
from botmeter.domain.account import Account
from botmeter.domain.events import Event
from botmeter.domain.prices import HOUR_MS, Rules
from botmeter.domain.sessions import memory_ms
from botmeter.engine import kafka
from botmeter.engine.pipeline import Meter
from botmeter.engine.reader import REQUEST_S, committed_records, first_timestamp, require_wanted, until_answered
from botmeter.engine.snapshots import SnapshotSchedule
from botmeter.engine.state import PartitionState
from botmeter.engine.store import Store, StoreMark, StoreUpdate
from botmeter.engine.store_rocksdb import RocksDbStore, wipe
from botmeter.engine.task import Restored
from botmeter.errors import ClusterError, InvariantViolated, TaskCorrupted

log = logging.getLogger(__name__)

#: How often a long restore says how far it is.
_PROGRESS_S: Final = 5.0
#: The worker's clock may differ from the broker's by this much when it judges how far back windows matter.
_CLOCK_MARGIN_MS: Final = HOUR_MS


@dataclass(frozen=True, slots=True)
class RestoreSettings:
    """What a restore needs to know besides the clients."""

    topics: Topics
    rules: Rules
    partitions: int
    data_dir: Path
    #: Windows kept in memory, per partition.
    cache_windows: int
    snapshot_interval_s: float
    #: A store not written for longer is restored cold.
    store_max_age_ms: int


@dataclass(frozen=True, slots=True)
class _Log:
    """The journal partition as it was when the restore began."""

    topic_id: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class _Positions:
    """Where the inputs are to be read from: the committed offsets, else the beginnings."""

    interactions: int
    commands: int
    was_committed: bool


class _Progress:
    """The states under restore."""

    def __init__(self, store: Store, state: PartitionState, floor: int, topic_id: str) -> None:
        self.store, self.state, self.floor, self.topic_id = store, state, floor, topic_id
        #: The version of each account's latest snapshot, where it was read.
        self.snapshot_versions: dict[bytes, int] = {}
        #: The first event that an account's snapshot may lack.
        self.pending: dict[bytes, int] = {}


class Restorer:
    """Restores partitions, each call on a thread of its own; every call blocks until it is done or stopped."""

    def __init__(self, settings: RestoreSettings, make_reader: Callable[[], Consumer], admin: AdminClient) -> None:
        self._settings = settings
        self._make_reader = make_reader
        # A reader takes a second to find its brokers, so each serves many partitions.
        self._idle_readers: SimpleQueue[Consumer] = SimpleQueue()
        self._admin = admin
        # A partition that comes back at once may find the restore it abandoned still at its store.
        self._one_each = [Lock() for _ in range(settings.partitions)]

    def restore(self, partition: int, stop: Flag) -> Restored:
        """The states of `partition` and the positions to read its inputs from.

        Raises RestoreStopped when `stop` is set meanwhile, InvariantViolated when the journal has a gap, ClusterError
        when nothing was ever committed for a partition that has a journal.
        """
        with self._one_each[partition]:
            try:
                reader = self._idle_readers.get_nowait()
            except Empty:
                reader = self._make_reader()
            try:
                positions = self._positions(reader, partition, stop)
                return self._restore(reader, partition, positions, stop)
            finally:
                self._idle_readers.put(reader)

    def close(self) -> None:
        """Lets the readers go; no restore may be under way."""
        while not self._idle_readers.empty():
            self._idle_readers.get().close()

    def _positions(self, reader: Consumer, partition: int, stop: Flag) -> _Positions:
        """The committed offsets; waits for the end of a transaction that holds newer ones."""
        names = (self._settings.topics.interactions.name, self._settings.topics.commands.name)
        asked = [TopicPartition(name, partition) for name in names]
        committed = until_answered(stop, lambda: reader.committed(asked, timeout=REQUEST_S))
        if all(found.offset >= 0 for found in committed):
            return _Positions(committed[0].offset, committed[1].offset, was_committed=True)
        begins = [kafka.begin_offsets(self._admin, name, [partition])[partition] for name in names]
        return _Positions(begins[0], begins[1], was_committed=False)

    def _restore(self, reader: Consumer, partition: int, positions: _Positions, stop: Flag) -> Restored:
        journal = self._journal(partition)
        began_s = time.monotonic()
        path = self._settings.data_dir / f"partition-{partition}"
        store, mark = self._open(path, journal)
        try:
            if mark is None:
                kind = "cold"
                progress, start = self._from_snapshots(reader, partition, journal, store, positions, stop)
            else:
                kind = "warm"
                state = self._state(store)
                progress = _Progress(store, state, mark.snapshot_floor, journal.topic_id)
                start = min(mark.journal_offset, mark.snapshot_floor)
            read = self._fold_journal(reader, partition, start, journal, progress, stop)
            _require_offsets(partition, positions, progress)
            require_wanted(partition, stop)  # else the store is closed at once
        except BaseException:
            store.close()
            raise
        log.info(
            "partition %d: %s restore of %d accounts, %d events of the journal, in %.1f s",
            partition, kind, len(progress.state.accounts), read, time.monotonic() - began_s,
        )  # fmt: skip
        return self._restored(partition, journal, progress, positions)

    def _restored(self, partition: int, journal: _Log, progress: _Progress, positions: _Positions) -> Restored:
        settings, state = self._settings, progress.state
        state.begin_batch()
        pending = {key: (state.accounts[key], since) for key, since in progress.pending.items()}
        return Restored(
            meter=Meter(partition, settings.partitions, state, settings.topics, settings.rules, positions.interactions),
            store=progress.store,
            snapshots=SnapshotSchedule(settings.snapshot_interval_s, pending),
            journal_offset=journal.end,
            journal_topic_id=journal.topic_id,
            interactions_from=positions.interactions,
            commands_from=positions.commands,
        )

    def _state(self, store: Store) -> PartitionState:
        return PartitionState(store, self._settings.rules, self._settings.cache_windows)

    def _journal(self, partition: int) -> _Log:
        name = self._settings.topics.journal.name
        return _Log(
            topic_id=kafka.topic_ids(self._admin, [name])[name],
            begin=kafka.begin_offsets(self._admin, name, [partition])[partition],
            end=kafka.end_offsets(self._admin, name, [partition])[partition],
        )

    # --- Step 2: the local store ---

    def _open(self, path: Path, journal: _Log) -> tuple[RocksDbStore, StoreMark | None]:
        """The store and its mark; an empty store without a mark when what was there cannot be trusted."""
        try:
            store = RocksDbStore(path)
        except TaskCorrupted as corrupted:
            log.warning("%s: wiped, to be restored from the journal", corrupted)
            wipe(path)
            return RocksDbStore(path), None
        mark = store.mark()
        distrust = None if mark is None else self._distrust(mark, journal)
        if mark is not None and distrust is None:
            return store, mark
        store.close()
        if distrust is not None:
            log.warning("%s: %s; wiped, to be restored from the journal", path, distrust)
        wipe(path)
        return RocksDbStore(path), None

    def _distrust(self, mark: StoreMark, journal: _Log) -> str | None:
        """Why a store must not be built upon."""
        if mark.topic_id != journal.topic_id:
            return "the journal topic was made anew"
        if not journal.begin <= mark.journal_offset <= journal.end:
            return f"its journal offset {mark.journal_offset} is outside {journal.begin} to {journal.end}"
        if time.time() * 1000 - mark.written_at > self._settings.store_max_age_ms:
            return "it is too old"
        return None

    # --- Step 3: snapshots ---

    def _from_snapshots(
        self, reader: Consumer, partition: int, journal: _Log, store: Store, positions: _Positions, stop: Flag
    ) -> tuple[_Progress, int]:
        """The accounts of the snapshots, and the journal offset from which something is missing."""
        name = self._settings.topics.snapshots.name
        begin = kafka.begin_offsets(self._admin, name, [partition])[partition]
        end = kafka.end_offsets(self._admin, name, [partition])[partition]
        state, floor = self._state(store), journal.begin
        for chunk in committed_records(reader, name, partition, begin, end, stop):
            for message in chunk:
                account, journal_offset = _snapshot(message)
                state.put_account(account)
                floor = max(floor, journal_offset)
        progress = _Progress(store, state, floor, journal.topic_id)
        progress.snapshot_versions = {key: account.version for key, account in state.accounts.items()}
        start = floor
        if state.accounts:
            start = min(floor, self._windows_from(reader, partition, positions.interactions, stop))
        self._write(progress, dict(state.accounts), start)
        return progress, start

    def _windows_from(self, reader: Consumer, partition: int, next_interaction: int, stop: Flag) -> int:
        """The offset of the first event whose window or handoff may still matter.

        What matters depends on the next interaction to be taken, not on the clock: a worker that was down for a week
        begins with interactions of last week.
        """
        topics, now = self._settings.topics, int(time.time() * 1000)
        next_at = first_timestamp(reader, topics.interactions.name, partition, next_interaction, stop)
        since = min(now, now if next_at is None else next_at) - memory_ms(self._settings.rules) - _CLOCK_MARGIN_MS
        return kafka.offsets_at(self._admin, topics.journal.name, [partition], since)[partition]

    # --- Steps 4 and 5: the journal ---

    def _fold_journal(
        self, reader: Consumer, partition: int, start: int, journal: _Log, progress: _Progress, stop: Flag
    ) -> int:
        """Folds the journal from `start` into the states; how many events that were."""
        read, said_s = 0, time.monotonic()
        name = self._settings.topics.journal.name
        for chunk in committed_records(reader, name, partition, max(start, journal.begin), journal.end, stop):
            self._fold_chunk(progress, chunk)
            read += len(chunk)
            if time.monotonic() - said_s > _PROGRESS_S:
                said_s = time.monotonic()
                log.info("partition %d: restoring, journal offset %d of %d", partition, chunk[-1].offset(), journal.end)
        return read

    def _fold_chunk(self, progress: _Progress, chunk: list[Message]) -> None:
        state = progress.state
        state.begin_batch()
        events = [(message, _event(message)) for message in chunk]
        state.windows.prefetch(
            {(e.account_id, e.end_user_id, e.preview) for _, e in events if isinstance(e, ev.SessionStarted)}
        )
        state.chats.prefetch({(e.account_id, e.conversation_id) for _, e in events if isinstance(e, ev.ChatHandedOff)})
        for message, event in events:
            self._fold(progress, event, message.offset() or 0)
        self._write(progress, state.changes.accounts, (chunk[-1].offset() or 0) + 1)

    def _fold(self, progress: _Progress, event: Event, offset: int) -> None:
        key = event.account_id.encode()
        if event.version > progress.snapshot_versions.get(key, 0):
            progress.pending.setdefault(key, offset)
        account = progress.state.accounts.get(key)
        if account is not None and event.version <= account.version:
            progress.state.remember(event)
            return
        try:
            progress.state.apply(key, event)
        except ValueError as gap:
            raise InvariantViolated(f"the journal has a gap at offset {offset}: {gap}") from gap

    def _write(self, progress: _Progress, accounts: dict[bytes, Account], journal_offset: int) -> None:
        changes = progress.state.changes
        progress.store.write(
            StoreUpdate(
                accounts={account.account_id: encode_account(account) for account in accounts.values()},
                windows=changes.windows,
                chats=changes.chats,
                mark=StoreMark(journal_offset, progress.floor, progress.topic_id, int(time.time() * 1000)),
            )
        )


def _require_offsets(partition: int, positions: _Positions, progress: _Progress) -> None:
    """Raises ClusterError where a journal tells of accounts, but nothing of how far the inputs were taken.

    Judged by what was read: a journal may hold nothing but the first transaction of a worker that died in it.
    """
    if progress.state.accounts and not positions.was_committed:
        raise ClusterError(
            f"partition {partition} has a journal, but its inputs have no committed offsets: reading them from the "
            "beginning would charge old sessions again; check BOTMETER_GROUP and the broker's "
            "offsets.retention.minutes"
        )


def _event(message: Message) -> Event:
    try:
        return decode_event(message.value() or b"")
    except ValueError as error:
        raise InvariantViolated(f"the journal at offset {message.offset()} cannot be read: {error}") from error


def _snapshot(message: Message) -> tuple[Account, int]:
    try:
        return decode_snapshot(message.value() or b"")
    except ValueError as error:
        raise InvariantViolated(f"the snapshot at offset {message.offset()} cannot be read: {error}") from error
