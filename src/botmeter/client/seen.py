"""Which messages were handled already, by their `ce_id`, which is the same every time a message is read."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final, Protocol

#: Redelivery after a rebalance repeats seconds of traffic; this is more.
_IDS_MAX: Final = 100_000


class Seen(Protocol):
    """A memory of ids. The safest one is in the database that handling a message changes, in the same transaction."""

    def __contains__(self, id_: str, /) -> bool:
        """Whether the message with this id was handled."""

    def add(self, id_: str, /) -> None:
        """Marks the message with this id as handled."""


class SeenInMemory:
    """The latest ids, while the process lives: detects redelivery after a rebalance, but not after a restart."""

    def __init__(self, ids_max: int = _IDS_MAX) -> None:
        """Keeps the latest `ids_max` ids."""
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._ids_max = ids_max

    def __contains__(self, id_: str) -> bool:
        return id_ in self._ids

    def add(self, id_: str) -> None:
        """Marks the message with this id as handled."""
        self._ids[id_] = None
        if len(self._ids) > self._ids_max:
            self._ids.popitem(last=False)


class SeenInFile:
    """All ids, in an SQLite file: also detects redelivery after a restart, for one process at a time."""

    def __init__(self, file: Path) -> None:
        """Creates the file if it is missing. Raises sqlite3.Error when it cannot be used."""
        self._lock = threading.Lock()
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY) WITHOUT ROWID")

    def __contains__(self, id_: str) -> bool:
        with self._lock:
            return self._database.execute("SELECT 1 FROM seen WHERE id = ?", (id_,)).fetchone() is not None

    def add(self, id_: str) -> None:
        """Marks the message with this id as handled; on disk when this returns."""
        with self._lock:
            self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (id_,))

    def close(self) -> None:
        """Closes the file."""
        self._database.close()
