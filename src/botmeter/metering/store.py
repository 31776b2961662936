"""What a task remembers on disk: a cache of the journal, never its source. Deleting it loses nothing.

One protocol, two implementations: RocksDB for the worker (`store_rocksdb.py`), memory for `replay` and for tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from botmeter.domain.account import Account
from botmeter.metering.windows import ChatKey, PackedStarts, WindowKey

#: The time of a handoff that never was; far below every real one.
NEVER: Final = -(1 << 62)


@dataclass(frozen=True, slots=True)
class StoreMark:
    """What the store reflects: all of the journal before `journal_offset`, as of `written_at` (UTC ms).

    No account's snapshot lacks an event before `snapshot_floor` (`snapshots.py`), but of those `postponed`.
    """

    journal_offset: int
    snapshot_floor: int
    #: Kafka's ids of the journal and of the snapshots topic: one made anew under the same name has another.
    topic_id: str
    written_at: int
    snapshots_topic_id: str = ""
    #: The accounts too large for a snapshot, by their id, and the offset of the first event that theirs lacks. They are
    #: apart from the floor, so that a warm restore need not read the journal from when they outgrew it.
    postponed: Mapping[str, int] = field(default_factory=dict)
    #: All accounts that their snapshots lack something of, by their id, and the offset of the first such event: written
    #: when a store is closed. None: not known, so the journal has to tell, from `snapshot_floor` on.
    pending: Mapping[str, int] | None = None
    #: How long session starts were remembered (`memory_ms`): what is older was swept. 0: a release before 0.2.0 wrote
    #: it and did not say.
    memory_ms: int = 0
    #: The number, in the log of the rules, of the last accepted loss of the partition that it knows of.
    loss: int = 0


@dataclass(frozen=True, slots=True)
class StoreUpdate:
    """The states one committed transaction changed; `accounts` are encoded already (they went into snapshots too)."""

    accounts: Mapping[str, bytes]
    windows: Mapping[WindowKey, PackedStarts]
    chats: Mapping[ChatKey, int]
    mark: StoreMark


class Store(Protocol):
    """The states of one partition; every call may block on the disk. Used by one thread at a time, but for `close`."""

    def mark(self) -> StoreMark | None:
        """What the store reflects, None when it is empty."""

    def accounts(self) -> Iterator[Account]:
        """All accounts, asked for once, at the start of a task."""

    def windows(self, keys: Sequence[WindowKey]) -> Sequence[PackedStarts]:
        """The known session starts of each key, in order; 0 where there are none."""

    def chats(self, keys: Sequence[ChatKey]) -> Sequence[int]:
        """When each chat was handed off last, UTC ms, in order; NEVER where it was not."""

    def write(self, update: StoreUpdate) -> None:
        """Writes all of the update or nothing. Called after its transaction is committed, never before.

        Skipped, as is a sweep, once another thread has closed the store: the partition was given up while the commit
        was under way, and whoever restores it finds in the journal what the store lacks.
        """

    def sweep(self, before: int, limit: int) -> int:
        """Looks at up to `limit` windows and as many chats, drops those before `before` (UTC ms); how many."""

    def close(self) -> None:
        """Releases the files; the store cannot be used after it."""


class MemoryStore:
    """Kept in dictionaries, for as long as the process lives. Accounts are not kept: the task's memory holds them."""

    def __init__(self) -> None:
        self._windows: dict[WindowKey, PackedStarts] = {}
        self._chats: dict[ChatKey, int] = {}
        self._mark: StoreMark | None = None

    def mark(self) -> StoreMark | None:
        """That of the last write."""
        return self._mark

    def accounts(self) -> Iterator[Account]:
        """None: the task's memory holds them."""
        return iter(())

    def windows(self, keys: Sequence[WindowKey]) -> Sequence[PackedStarts]:
        """The known session starts of each key, in order."""
        return [self._windows.get(key, 0) for key in keys]

    def chats(self, keys: Sequence[ChatKey]) -> Sequence[int]:
        """When each chat was handed off, in order."""
        return [self._chats.get(key, NEVER) for key in keys]

    def write(self, update: StoreUpdate) -> None:
        """Keeps what changed."""
        self._windows.update(update.windows)
        self._chats.update(update.chats)
        self._mark = update.mark

    def sweep(self, before: int, limit: int) -> int:  # noqa: ARG002 - a tape is short enough to be kept whole
        """Drops nothing."""
        return 0

    def close(self) -> None:
        """There is nothing to release."""
