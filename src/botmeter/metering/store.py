"""The store of a task on disk: a cache of the journal, never its source. Deleting it loses nothing.

One protocol, two implementations: RocksDB for the worker (`store_rocksdb.py`), memory for `replay` and for tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from botmeter.domain.account import Account
from botmeter.metering.windows import ChatKey, PackedStarts, WindowKey

#: The handoff time of a chat that was never handed off; far below every real one.
NEVER: Final = -(1 << 62)


@dataclass(frozen=True, slots=True)
class StoreMark:
    """The position of a store: it reflects the journal before `journal_offset`, written at `written_at` (UTC ms).

    No account's snapshot lacks an event before `snapshot_floor` (`snapshots.py`), except those `postponed`.
    """

    journal_offset: int
    snapshot_floor: int
    #: Kafka's ids of the journal and of the snapshots topic. A recreated topic of the same name has another id.
    topic_id: str
    written_at: int
    snapshots_topic_id: str = ""
    #: The accounts too large for a snapshot, by their id, and the offset of the first event that their snapshot lacks.
    #: The floor does not include them, so a warm restore need not read the journal from there.
    postponed: Mapping[str, int] = field(default_factory=dict)
    #: All accounts whose snapshots lack events, by their id, and the offset of the first such event; written when a
    #: store is closed. None: unknown, so a restore reads the journal from `snapshot_floor` on.
    pending: Mapping[str, int] | None = None
    #: How long session starts were kept (`memory_ms`): older ones were swept. 0: unknown, because a release before
    #: 0.2.0 wrote the store.
    memory_ms: int = 0
    #: The number, in the log of the rules, of the partition's last accepted loss that the store includes.
    loss: int = 0


@dataclass(frozen=True, slots=True)
class StoreUpdate:
    """The states that one committed transaction changed; `accounts` are already encoded, as snapshots are."""

    accounts: Mapping[str, bytes]
    windows: Mapping[WindowKey, PackedStarts]
    chats: Mapping[ChatKey, int]
    mark: StoreMark


class Store(Protocol):
    """The states of one partition; every call may block on the disk. Used by one thread at a time, except `close`."""

    def mark(self) -> StoreMark | None:
        """Returns the position of the store, None when it is empty."""

    def accounts(self) -> Iterator[Account]:
        """Returns all accounts. Called once, at the start of a task."""

    def windows(self, keys: Sequence[WindowKey]) -> Sequence[PackedStarts]:
        """Returns the known session starts of each key, in order; 0 where there are none."""

    def chats(self, keys: Sequence[ChatKey]) -> Sequence[int]:
        """Returns when each chat was last handed off, UTC ms, in order; NEVER where it was not."""

    def write(self, update: StoreUpdate) -> None:
        """Writes all of the update or nothing. Called after its transaction is committed, never before.

        Does nothing, like a sweep, once another thread has closed the store: the partition was revoked during the
        commit, and the next restore reads what the store lacks from the journal.
        """

    def sweep(self, before: int, limit: int) -> int:
        """Checks up to `limit` windows and as many chats, drops those before `before` (UTC ms), returns how many."""

    def close(self) -> None:
        """Releases the files; the store cannot be used afterwards."""


class MemoryStore:
    """A store in dictionaries, lost with the process. It keeps no accounts: the task's memory holds them."""

    def __init__(self) -> None:
        self._windows: dict[WindowKey, PackedStarts] = {}
        self._chats: dict[ChatKey, int] = {}
        self._mark: StoreMark | None = None

    def mark(self) -> StoreMark | None:
        """Returns the mark of the last write."""
        return self._mark

    def accounts(self) -> Iterator[Account]:
        """Returns no account: the task's memory holds them."""
        return iter(())

    def windows(self, keys: Sequence[WindowKey]) -> Sequence[PackedStarts]:
        """Returns the known session starts of each key, in order."""
        return [self._windows.get(key, 0) for key in keys]

    def chats(self, keys: Sequence[ChatKey]) -> Sequence[int]:
        """Returns when each chat was handed off, in order."""
        return [self._chats.get(key, NEVER) for key in keys]

    def write(self, update: StoreUpdate) -> None:
        """Keeps the changed windows and chats, and the mark."""
        self._windows.update(update.windows)
        self._chats.update(update.chats)
        self._mark = update.mark

    def sweep(self, before: int, limit: int) -> int:  # noqa: ARG002 - a tape is short enough to be kept whole
        """Drops nothing."""
        return 0

    def close(self) -> None:
        """Does nothing: there are no files."""
