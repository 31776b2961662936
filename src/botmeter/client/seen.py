"""Which messages were handled already, by their `ce_id`: it is the same whenever and wherever a message is read."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final, Protocol

#: Redelivery after a rebalance repeats seconds of traffic; this is more than that.
_IDS_MAX: Final = 100_000


class Seen(Protocol):
    """A memory of ids. One in the database of what is done for a message, in the same transaction, is the best."""

    def __contains__(self, id_: str, /) -> bool:
        """Whether the message with this id was handled."""

    def add(self, id_: str, /) -> None:
        """The message with this id is handled."""


class SeenInMemory:
    """The latest ids, as long as the process lives: catches what a rebalance delivers again, but not a restart."""

    def __init__(self, ids_max: int = _IDS_MAX) -> None:
        """Forgets the oldest beyond `ids_max`."""
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._ids_max = ids_max

    def __contains__(self, id_: str) -> bool:
        return id_ in self._ids

    def add(self, id_: str) -> None:
        """The message with this id is handled."""
        self._ids[id_] = None
        if len(self._ids) > self._ids_max:
            self._ids.popitem(last=False)


class SeenInFile:
    """All ids, in an SQLite file: catches what a restart delivers again too, for one process at a time."""

    def __init__(self, file: Path) -> None:
        """Makes the file when it is not there. Raises sqlite3.Error when it cannot be used."""
        self._lock = threading.Lock()
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY) WITHOUT ROWID")

    def __contains__(self, id_: str) -> bool:
        with self._lock:
            return self._database.execute("SELECT 1 FROM seen WHERE id = ?", (id_,)).fetchone() is not None

    def add(self, id_: str) -> None:
        """The message with this id is handled; on disk when this returns."""
        with self._lock:
            self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (id_,))

    def close(self) -> None:
        """Lets the file go."""
        self._database.close()
