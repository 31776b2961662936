"""The states of a running task: what its decisions rest on, the store behind them, and how far both are committed."""

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
    """Made by a restore, kept up by the commits since."""

    meter: Meter
    store: Store
    snapshots: SnapshotSchedule
    #: The journal's offset after the last record the store reflects.
    journal_offset: int
    #: Kafka's id of the journal topic: a topic made anew under the same name has another.
    journal_topic_id: str
    #: The offsets from which the two inputs are to be read on.
    interactions_from: int
    commands_from: int
    #: How long session starts are remembered.
    memory_ms: int
    clock: Clock
    #: Up to where the restore read the log of the rules and rescues.
    rules_end: int
    #: The number of the last accepted loss of the partition; 0 where there is none.
    loss: int = 0
    #: The offsets of the two inputs that were committed last since the restore, and when, by a monotonic clock.
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
        """A transaction is committed: notes how far, and writes its changes to the store.

        `encoded`: each changed account's bytes; `snapshots`: the accounts whose snapshots it held; `journal_end`: the
        journal's offset after its last event, None when it had none; `now_s`: by a monotonic clock.
        """
        journal_offset = self.journal_offset if journal_end is None else journal_end
        self.committed, self.committed_s = positions, now_s
        self.snapshots.written(snapshots, now_s)
        accounts = {account.account_id: encoded[key] for key, account in changes.accounts.items()}
        self.store.write(StoreUpdate(accounts, changes.windows, changes.chats, self._mark(journal_offset, None)))
        # Not before the write: a task that is closed meanwhile must not mark as written what is not.
        self.journal_offset = journal_offset

    def close(self) -> None:
        """Closes the store; writes down what the snapshots lack, so that the next start need not read it up."""
        self.store.write(StoreUpdate({}, {}, {}, self._mark(self.journal_offset, self.snapshots.pending())))
        self.store.close()

    def _mark(self, journal_offset: int, pending: Mapping[bytes, int] | None) -> StoreMark:
        postponed = self.snapshots.postponed()
        return StoreMark(
            journal_offset=journal_offset,
            snapshot_floor=self.snapshots.floor(journal_offset, but=postponed),
            topic_id=self.journal_topic_id,
            written_at=self.clock.now_ms(),
            snapshots_topic_id=self.snapshots.topic_id,
            postponed={key.decode(): since for key, since in postponed.items()},
            pending=None if pending is None else {key.decode(): since for key, since in pending.items()},
            memory_ms=self.memory_ms,
            loss=self.loss,
        )
