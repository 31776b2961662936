"""The disk of a worker: its stores outlive its process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from botmeter.contracts.encoding import decode_account
from botmeter.domain.account import Account
from botmeter.metering.store import NEVER, StoreMark, StoreUpdate
from botmeter.metering.windows import ChatKey, PackedStarts, WindowKey, unpack
from memory_kafka.world import Process

from .scheduler import Scheduler


class Content:
    """What one store holds; each write is whole or not at all."""

    def __init__(self) -> None:
        self.mark: StoreMark | None = None
        self.accounts: dict[str, bytes] = {}
        self.windows: dict[WindowKey, PackedStarts] = {}
        self.chats: dict[ChatKey, int] = {}
        self.owner: DiskStore | None = None

    def copy(self) -> Content:
        """As it is now; nobody's."""
        made = Content()
        made.mark = self.mark
        made.accounts, made.windows, made.chats = dict(self.accounts), dict(self.windows), dict(self.chats)
        return made


class Disk:
    """All stores of all workers, by their path."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.contents: dict[Path, Content] = {}
        #: What the dead have left in their stores, by their path.
        self.left: list[tuple[Path, Content]] = []

    def bury(self, process: Process) -> None:
        """Keeps what a process that dies has in its open stores."""
        for path, content in self.contents.items():
            if content.owner is not None and content.owner._process is process:
                self.left.append((path, content.copy()))

    def open(self, path: Path) -> DiskStore:
        """As `RocksDbStore(path)`."""
        return DiskStore(self, path)

    def wipe(self, path: Path) -> None:
        """As `wipe(path)`."""
        self.contents.pop(path, None)


class DiskStore:
    """As RocksDbStore."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self._scheduler = disk.scheduler
        process = disk.scheduler.current
        self._process = process = process or Process("nobody")
        self._scheduler.passes(process, "open store")
        self._content = disk.contents.setdefault(path, Content())
        owner = self._content.owner
        if owner is not None and not owner._process.is_dead:
            raise AssertionError(f"{path} is open already")
        self._content.owner = self
        self._is_closed = False

    def mark(self) -> StoreMark | None:
        return self._content.mark

    def accounts(self) -> Iterator[Account]:
        return map(decode_account, list(self._content.accounts.values()))

    def windows(self, keys: Sequence[WindowKey]) -> Sequence[PackedStarts]:
        return [self._content.windows.get(key, 0) for key in keys]

    def chats(self, keys: Sequence[ChatKey]) -> Sequence[int]:
        return [self._content.chats.get(key, NEVER) for key in keys]

    def write(self, update: StoreUpdate) -> None:
        if self._is_closed:
            return
        is_restore = self._scheduler.thread == "restore"
        self._scheduler.passes(self._process, "restore writes" if is_restore else "before store")
        if self._is_closed:  # by another thread meanwhile
            return
        content = self._content
        content.accounts.update(update.accounts)
        content.windows.update(update.windows)
        content.chats.update(update.chats)
        content.mark = update.mark
        if not is_restore:
            self._scheduler.passes(self._process, "after store")

    def sweep(self, before: int, limit: int) -> int:
        del limit
        if self._is_closed:
            return 0
        return self._swept(before)

    def _swept(self, before: int) -> int:
        windows = [key for key, starts in self._content.windows.items() if max(unpack(starts)) < before]
        chats = [key for key, at in self._content.chats.items() if at < before]
        for window in windows:
            del self._content.windows[window]
        for chat in chats:
            del self._content.chats[chat]
        return len(windows) + len(chats)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            if self._content.owner is self:
                self._content.owner = None
