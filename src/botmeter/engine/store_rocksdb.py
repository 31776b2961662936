"""The store of a task in RocksDB: accounts, windows and chats of one partition, and the mark with its position."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from struct import Struct
from threading import Lock
from typing import Any, Final

import msgspec
from rocksdict import (
    AccessType,
    BlockBasedOptions,
    Cache,
    DbClosedError,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
)

from botmeter.contracts.encoding import decode_account
from botmeter.domain.account import Account
from botmeter.errors import ConfigurationError, TaskCorrupted
from botmeter.metering.store import NEVER, StoreMark, StoreUpdate
from botmeter.metering.windows import BIAS, NEWEST, ChatKey, PackedStarts, WindowKey, pack, unpack

_TIME: Final = Struct(">q")
_MARK: Final = b"mark"
#: Column families; the default one holds the mark.
_ACCOUNTS, _WINDOWS, _CHATS = "accounts", "windows", "chats"
#: Increased with every change of the layout on disk or of the meaning of a mark. Another layout is wiped and restored.
_LAYOUT: Final = b"2"
#: The reported properties of a store, by RocksDB's names.
_FIGURES: Final = (
    "cur-size-all-mem-tables",
    "estimate-table-readers-mem",
    "total-sst-files-size",
    "estimate-live-data-size",
    "estimate-pending-compaction-bytes",
    "num-running-compactions",
)
#: The file that prevents a failed store from being opened again.
_CONDEMNED: Final = "condemned"


#: Memory limits for all stores of a worker together: 64 MiB for blocks read from the disk, and 64 MiB for data that is
#: not in files yet. Indexes and filters come on top, some 2 MB per million windows.
_BLOCKS: Final = Cache(64 << 20)
_UNWRITTEN: Final = WriteBufferManager(64 << 20, False)  # noqa: FBT003 - as below; writes are not stalled
#: A column family is written to a file at this size, unless that memory runs out before; another buffer is filled
#: meanwhile. Windows are many and each is new: larger files are merged less often. In the other families the same keys
#: are written repeatedly, and a larger buffer only keeps more of their old values.
_WINDOWS_BUFFER_BYTES: Final = 16 << 20
_OTHER_BUFFER_BYTES: Final = 4 << 20


def _options(buffer_bytes: int) -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)  # noqa: FBT003 - the binding takes positions only
    options.create_missing_column_families(True)  # noqa: FBT003
    options.set_write_buffer_size(buffer_bytes)
    options.set_write_buffer_manager(_UNWRITTEN)
    # New end-users are looked up and not found; a bloom filter avoids reading the disk for them.
    table = BlockBasedOptions()
    table.set_bloom_filter(10, False)  # noqa: FBT003
    table.set_block_cache(_BLOCKS)
    options.set_block_based_table_factory(table)
    return options


#: The operating system's message for a full disk, which RocksDB's errors contain.
_FULL: Final = os.strerror(errno.ENOSPC)


class RocksDbStore:
    """The RocksDB of one partition. Opening it takes its lock.

    Every failure of RocksDB raises TaskCorrupted: broken files, files that another process has open, a block with a
    wrong checksum. A store that fails after it was opened is condemned: it cannot be opened again until it is wiped;
    otherwise a worker would hit the same broken block after every start. Only a full disk raises ConfigurationError;
    the store can be used again once there is space.
    """

    def __init__(self, path: Path) -> None:
        """Raises TaskCorrupted also for a condemned store and for a store with another layout."""
        self._path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(path, str(error.strerror)) from error
        if (path / _CONDEMNED).exists():
            raise TaskCorrupted(f"cannot open the store at {path}: it failed before")
        families = {name: _options(_OTHER_BUFFER_BYTES) for name in (_ACCOUNTS, _CHATS)}
        families[_WINDOWS] = _options(_WINDOWS_BUFFER_BYTES)
        try:
            self._db = Rdict(str(path), _options(_OTHER_BUFFER_BYTES), families, AccessType.read_write())
        except Exception as error:  # rocksdict raises its own exceptions and plain ones
            if _FULL in str(error):
                raise _unusable(path, _FULL) from error
            raise TaskCorrupted(f"cannot open the store at {path}: {error}") from error
        self._families = {name: self._db.get_column_family(name) for name in families}
        self._handles = {name: self._db.get_column_family_handle(name) for name in families}
        self._swept_to: dict[str, Any] = {}
        # The polling thread closes a task while the commit thread may be about to write.
        self._lock = Lock()
        self._is_closed = False
        try:
            self._require_layout()
        except TaskCorrupted:
            self.close()
            raise

    def _require_layout(self) -> None:
        with self._condemning():
            layout = self._db.get(b"layout")
        if layout not in (None, _LAYOUT):
            raise TaskCorrupted(f"cannot open the store at {self._path}: another version of botmeter has written it")

    def mark(self) -> StoreMark | None:
        """Returns the position of the store, None when it is empty."""
        with self._condemning():
            value = self._db.get(_MARK)
            return None if value is None else msgspec.json.decode(value, type=StoreMark)

    def accounts(self) -> Iterator[Account]:
        """Yields all accounts."""
        with self._condemning():
            for _, value in self._entries(_ACCOUNTS):
                yield decode_account(value)

    def windows(self, keys: Sequence[WindowKey]) -> Sequence[PackedStarts]:
        """Returns the known session starts of each key, in order."""
        with self._condemning():
            return [0 if value is None else pack(_times(value)) for value in self._get(_WINDOWS, keys)]

    def chats(self, keys: Sequence[ChatKey]) -> Sequence[int]:
        """Returns when each chat was handed off, in order."""
        with self._condemning():
            return [NEVER if value is None else _TIME.unpack(value)[0] for value in self._get(_CHATS, keys)]

    def _get(self, family: str, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        values: Sequence[bytes | None] = self._families[family].get(list(keys)) or []
        return values

    def _entries(self, family: str, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yields keys and values from `start` on. The binding's simpler iterators end silently at a broken block."""
        entries = self._families[family].iter()
        try:
            entries.seek(start)
            while entries.valid():
                yield entries.key(), entries.value()
                entries.next()
            entries.status()
        finally:
            del entries  # it keeps the files open and locked, and a traceback would keep it alive

    def write(self, update: StoreUpdate) -> None:
        """Writes all of the update in one atomic batch."""
        with self._lock, self._condemning():
            if self._is_closed:
                return
            batch = WriteBatch(raw_mode=True)
            accounts, windows, chats = self._handles[_ACCOUNTS], self._handles[_WINDOWS], self._handles[_CHATS]
            for account_id, value in update.accounts.items():
                batch.put(account_id.encode(), value, accounts)
            for window, starts in update.windows.items():
                batch.put(window, _written_times(starts), windows)
            for chat, handed_off_at in update.chats.items():
                batch.put(chat, _TIME.pack(handed_off_at), chats)
            batch.put(_MARK, msgspec.json.encode(update.mark))
            batch.put(b"layout", _LAYOUT)
            self._db.write(batch)

    def sweep(self, before: int, limit: int) -> int:
        """Checks up to `limit` windows and chats, continuing after the last call; drops those before `before`."""
        with self._lock, self._condemning():
            if self._is_closed:
                return 0
            return sum(self._sweep_family(family, before, limit) for family in (_WINDOWS, _CHATS))

    def _sweep_family(self, family: str, before: int, limit: int) -> int:
        batch, swept = WriteBatch(raw_mode=True), 0
        entries = self._entries(family, self._swept_to.pop(family, b""))
        for seen, (key, value) in enumerate(entries):
            if seen == limit:
                self._swept_to[family] = key
                break
            if max(_times(value)) < before:
                batch.delete(key, self._handles[family])
                swept += 1
        if swept:
            self._db.write(batch)
        return swept

    def figures(self) -> dict[str, int]:
        """Returns RocksDB's properties by name, summed over all column families; empty once the store is closed.

        All stores share one block cache.
        """
        with self._lock, self._condemning():
            if self._is_closed:
                return {}
            families = (self._db, *self._families.values())
            figures = {
                name: sum(family.property_int_value(f"rocksdb.{name}") or 0 for family in families) for name in _FIGURES
            }
            figures["block-cache-usage"] = self._db.property_int_value("rocksdb.block-cache-usage") or 0
            return figures

    def close(self) -> None:
        """Releases the files and their lock, after a write in progress."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._handles = {}
            for family in (*self._families.values(), self._db):
                family.close()

    @contextmanager
    def _condemning(self) -> Iterator[None]:
        """Turns RocksDB's exceptions into TaskCorrupted and condemns the store."""
        try:
            yield
        except DbClosedError:  # a bug; the files are intact
            raise
        except Exception as error:  # as above; also ValueError for values that cannot be decoded
            if _FULL in str(error):
                raise _unusable(self._path, _FULL) from error
            with suppress(OSError):  # such as a full disk
                (self._path / _CONDEMNED).touch()
            raise TaskCorrupted(f"the store at {self._path} failed: {error}") from error


def _unusable(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(f"cannot write the store at {path} (BOTMETER_DATA_DIR): {reason}")


def wipe(path: Path) -> None:
    """Deletes a store that is not open; a cold restore rebuilds it."""
    shutil.rmtree(path, ignore_errors=True)


def _written_times(starts: PackedStarts) -> bytes:
    """Returns a window in its form on disk: each start in 8 bytes, UTC ms, ascending."""
    return b"".join(map(_TIME.pack, unpack(starts)))


def _times(value: bytes) -> tuple[int, ...]:
    """Reads a window. Raises ValueError or struct.error for invalid bytes, which could not be packed safely."""
    times = tuple(time for (time,) in _TIME.iter_unpack(value))
    if not times or not -BIAS < min(times) <= max(times) < NEWEST - BIAS:
        raise ValueError(f"{value!r} is no window")
    return times
