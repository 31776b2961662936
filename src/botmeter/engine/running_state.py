"""The states of a running task: the states that its decisions depend on, their store, and the committed positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from botmeter.clock import Clock
from botmeter.engine.snapshots import SnapshotSchedule
from botmeter.metering.pipeline import Meter
from botmeter.metering.state import Changes
from botmeter.metering.store import Store, StoreMark, StoreUpdate


@dataclass(slots=True)
class RunningState:
    """Created by a restore, and updated by every commit."""

    meter: Meter
    store: Store
    snapshots: SnapshotSchedule
    #: The journal's offset after the last record that the store reflects.
    journal_offset: int
    #: Kafka's id of the journal topic. A recreated topic of the same name has another id.
    journal_topic_id: str
    #: The offsets from which the two inputs are read.
    interactions_from: int
    commands_from: int
    #: How long session starts are kept.
    memory_ms: int
    clock: Clock
    #: The offset up to which the restore read the log of the rules and rescues.
    rules_end: int
    #: The number of the partition's last accepted loss; 0 when there is none.
    loss: int = 0
    #: The last committed offsets of the two inputs since the restore, and when that was, by a monotonic clock.
    committed: tuple[int, int] | None = None
    committed_s: float = 0.0

    def commit(
        self,
        changes: Changes,
        encoded: Mapping[bytes, bytes],
        snapshots: Iterable[bytes],
        positions: tuple[int, int],
        journal_end: int | None,
        now_s: float,
    ) -> None:
        """Records the positions of a committed transaction, and writes its changes to the store.

        `encoded`: each changed account's bytes; `snapshots`: the accounts whose snapshots it contained; `journal_end`:
        the journal's offset after its last event, None when it had none; `now_s`: by a monotonic clock.
        """
        journal_offset = self.journal_offset if journal_end is None else journal_end
        self.committed, self.committed_s = positions, now_s
        self.snapshots.written(snapshots, now_s)
        accounts = {account.account_id: encoded[key] for key, account in changes.accounts.items()}
        self.store.write(StoreUpdate(accounts, changes.windows, changes.chats, self._mark(journal_offset, None)))
        # Only after the write: a task closed in between must not write a mark for changes that are not in the store.
        self.journal_offset = journal_offset

    def close(self) -> None:
        """Writes which events the snapshots lack, so that the next start need not read them, and closes the store."""
        self.store.write(StoreUpdate({}, {}, {}, self._mark(self.journal_offset, self.snapshots.pending())))
        self.store.close()

    def _mark(self, journal_offset: int, pending: Mapping[bytes, int] | None) -> StoreMark:
        postponed = self.snapshots.postponed()
        return StoreMark(
            journal_offset=journal_offset,
            snapshot_floor=self.snapshots.floor(journal_offset, excluding=postponed),
            topic_id=self.journal_topic_id,
            written_at=self.clock.now_ms(),
            snapshots_topic_id=self.snapshots.topic_id,
            postponed={key.decode(): since for key, since in postponed.items()},
            pending=None if pending is None else {key.decode(): since for key, since in pending.items()},
            memory_ms=self.memory_ms,
            loss=self.loss,
        )
