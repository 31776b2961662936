"""The store of a task on RocksDB: accounts, windows and chats of one partition, and the mark that says how far."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from struct import Struct
from typing import Any, Final

import msgspec
from rocksdict import AccessType, BlockBasedOptions, Cache, Options, Rdict, WriteBatch

from botmeter.contracts.encoding import decode_account
from botmeter.domain.account import Account
from botmeter.domain.sessions import Starts
from botmeter.engine.store import NEVER, ChatKey, StoreMark, StoreUpdate, WindowKey
from botmeter.errors import TaskCorrupted

_TIME: Final = Struct(">q")
_MARK: Final = b"mark"
#: Column families; the default one holds the mark.
_ACCOUNTS, _WINDOWS, _CHATS = "accounts", "windows", "chats"
#: Raised with every change of the layout on disk; another layout is wiped and restored.
_LAYOUT: Final = b"1"


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)  # noqa: FBT003 - the binding takes positions only
    options.create_missing_column_families(True)  # noqa: FBT003
    options.set_write_buffer_size(32 << 20)
    # New end-users are looked up and not found; a bloom filter answers that without the disk.
    table = BlockBasedOptions()
    table.set_bloom_filter(10, False)  # noqa: FBT003
    table.set_block_cache(Cache(64 << 20))
    options.set_block_based_table_factory(table)
    return options


class RocksDbStore:
    """One RocksDB of one partition. Opening it takes its lock: another process holding it is `TaskCorrupted`."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._path = path
        families = {name: _options() for name in (_ACCOUNTS, _WINDOWS, _CHATS)}
        try:
            self._db = Rdict(str(path), _options(), families, AccessType.read_write())
        except Exception as error:  # rocksdict raises its own and plain exceptions alike
            raise TaskCorrupted(f"cannot open the store at {path}: {error}") from error
        self._families = {name: self._db.get_column_family(name) for name in families}
        self._handles = {name: self._db.get_column_family_handle(name) for name in families}
        self._swept_to: dict[str, Any] = {}

    def mark(self) -> StoreMark | None:
        """What the store reflects, None when it is empty or of another layout."""
        value = self._db.get(_MARK)
        if value is None or self._db.get(b"layout") != _LAYOUT:
            return None
        return msgspec.json.decode(value, type=StoreMark)

    def accounts(self) -> Iterator[Account]:
        """All accounts."""
        return (decode_account(value) for value in self._families[_ACCOUNTS].values())

    def windows(self, keys: Sequence[WindowKey]) -> Sequence[Starts]:
        """The known session starts of each key, in order."""
        found: list[bytes | None] = self._families[_WINDOWS].get([_window_key(key) for key in keys]) or []
        return [() if value is None else _unpack_times(value) for value in found]

    def chats(self, keys: Sequence[ChatKey]) -> Sequence[int]:
        """When each chat was handed off, in order."""
        found: list[bytes | None] = self._families[_CHATS].get([_chat_key(key) for key in keys]) or []
        return [NEVER if value is None else _TIME.unpack(value)[0] for value in found]

    def write(self, update: StoreUpdate) -> None:
        """Writes all of the update in one atomic batch."""
        batch = WriteBatch(raw_mode=True)
        accounts, windows, chats = self._handles[_ACCOUNTS], self._handles[_WINDOWS], self._handles[_CHATS]
        for account_id, value in update.accounts.items():
            batch.put(account_id.encode(), value, accounts)
        for window, starts in update.windows.items():
            batch.put(_window_key(window), b"".join(map(_TIME.pack, starts)), windows)
        for chat, handed_off_at in update.chats.items():
            batch.put(_chat_key(chat), _TIME.pack(handed_off_at), chats)
        batch.put(_MARK, msgspec.json.encode(update.mark))
        batch.put(b"layout", _LAYOUT)
        self._db.write(batch)

    def sweep(self, before: int, limit: int) -> int:
        """Looks at up to `limit` windows and chats, on from where the last call stopped; drops those past use."""
        return sum(self._sweep_family(family, before, limit) for family in (_WINDOWS, _CHATS))

    def _sweep_family(self, family: str, before: int, limit: int) -> int:
        batch, swept = WriteBatch(raw_mode=True), 0
        entries = self._families[family].items(from_key=self._swept_to.pop(family, None))
        for seen, (key, value) in enumerate(entries):
            if seen == limit:
                self._swept_to[family] = key
                break
            if max(_unpack_times(value)) < before:
                batch.delete(key, self._handles[family])
                swept += 1
        if swept:
            self._db.write(batch)
        return swept

    def close(self) -> None:
        """Releases the files and their lock."""
        self._handles = {}
        for family in (*self._families.values(), self._db):
            family.close()


def wipe(path: Path) -> None:
    """Deletes a store that is not open; a cold restore rebuilds it."""
    shutil.rmtree(path, ignore_errors=True)


def _window_key(key: WindowKey) -> bytes:
    account_id, end_user_id, preview = key
    return f"{account_id}\0{'p' if preview else 'l'}{end_user_id}".encode()  # ids hold no control characters


def _chat_key(key: ChatKey) -> bytes:
    account_id, conversation_id = key
    return f"{account_id}\0{conversation_id}".encode()


def _unpack_times(value: bytes) -> Starts:
    return tuple(start for (start,) in _TIME.iter_unpack(value))
