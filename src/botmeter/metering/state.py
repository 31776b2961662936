"""The states of one partition in memory: every account, and the windows and chats in use, in front of the store.

Memory may be ahead of the store by the batches not yet committed. When a commit fails, all of it is dropped and
restored (`restore.py`), so nothing here needs undoing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import Generic, TypeVar

from botmeter.domain import events as ev
from botmeter.domain.account import Account, evolve
from botmeter.domain.events import Event
from botmeter.domain.prices import Rules
from botmeter.domain.sessions import Starts, with_start
from botmeter.metering.store import ChatKey, Store, WindowKey

K = TypeVar("K")
V = TypeVar("V")


class Generations(Generic[K, V]):
    """A bounded cache of two generations; what is not used during a whole generation is forgotten.

    Entries of batches not yet committed are safe: a generation turns at most once a batch, so an entry survives the two
    batches that may be under way before it is written to the store.
    """

    __slots__ = ("_fetch", "_generation_max", "_old", "young")

    def __init__(self, fetch: Callable[[Sequence[K]], Sequence[V]], size_max: int) -> None:
        self._fetch = fetch
        self._generation_max = max(1, size_max // 2)
        self._old: dict[K, V] = {}
        #: Read directly on the hot path; a key that is not here is asked for with `prefetch`.
        self.young: dict[K, V] = {}

    def turn(self) -> None:
        """Called once before each batch."""
        if len(self.young) > self._generation_max:
            self._old, self.young = self.young, {}

    def prefetch(self, keys: Iterable[K]) -> None:
        """Brings the keys into `young`: from the old generation, or in one call from the store (I/O)."""
        missing: list[K] = []
        for key in keys:
            if key not in self.young:
                value = self._old.get(key)
                if value is None:
                    missing.append(key)
                else:
                    self.young[key] = value
        if missing:
            self.young.update(zip(missing, self._fetch(missing), strict=True))


class PartitionState:
    """What one partition's decisions are based on, and what has changed since the last `take_changes`."""

    def __init__(self, store: Store, rules: Rules, cache_windows: int) -> None:
        self._rules = rules
        #: By the record key's bytes, as the hot path finds them.
        self.accounts: dict[bytes, Account] = {}
        self.windows: Generations[WindowKey, Starts] = Generations(store.windows, cache_windows)
        self.chats: Generations[ChatKey, int] = Generations(store.chats, cache_windows)
        self._boundaries: list[tuple[int, bytes]] = []
        #: The highest broker timestamp taken so far, UTC ms.
        self.stream_time = 0
        self.changes = Changes()
        for account in store.accounts():
            self.put_account(account)

    def put_account(self, account: Account) -> None:
        """Takes over an account as it was read from a store or a snapshot."""
        key = account.account_id.encode()
        self._watch_boundary(key, self.accounts.get(key), account)
        self.accounts[key] = account

    def begin_batch(self) -> None:
        """Before a micro-batch is decided: turns the caches, forgets which states the one before changed."""
        self.windows.turn()
        self.chats.turn()
        self.changes = Changes()

    def apply(self, key: bytes, event: Event) -> Account:
        """Folds an event into the states; windows and chats it touches must have been prefetched."""
        before = self.accounts.get(key)
        after = evolve(before, event)
        self.accounts[key] = self.changes.accounts[key] = after
        self._watch_boundary(key, before, after)
        self.remember(event)
        return after

    def remember(self, event: Event) -> None:
        """Folds an event into the windows and chats alone."""
        if isinstance(event, ev.SessionStarted):
            window = (event.account_id, event.end_user_id, event.preview)
            starts = with_start(self.windows.young[window], event.started_at, event.at, self._rules)
            self.windows.young[window] = self.changes.windows[window] = starts
        elif isinstance(event, ev.ChatHandedOff):
            chat = (event.account_id, event.conversation_id)
            self.chats.young[chat] = self.changes.chats[chat] = max(self.chats.young[chat], event.at)

    def is_due(self, at: int) -> bool:
        """Whether a cycle may end at or before `at` (UTC ms); `due` tells which."""
        return bool(self._boundaries) and self._boundaries[0][0] <= at

    def due(self, at: int, accounts_max: int) -> list[bytes]:
        """The accounts whose cycle ends at or before `at` (UTC ms), earliest first; each is told once.

        They are at most `accounts_max`: `is_due` tells whether there may be more.
        """
        due: list[bytes] = []
        while self.is_due(at) and len(due) < accounts_max:
            ends_at, key = heappop(self._boundaries)
            account = self.accounts[key]
            if account.cycle.ends_at == ends_at and account.status != "closed":
                due.append(key)
        return due

    def _watch_boundary(self, key: bytes, before: Account | None, after: Account) -> None:
        if before is None or before.cycle.ends_at != after.cycle.ends_at:
            heappush(self._boundaries, (after.cycle.ends_at, key))


class Changes:
    """The states a micro-batch changed, each as it is after the batch."""

    __slots__ = ("accounts", "chats", "windows")

    def __init__(self) -> None:
        self.accounts: dict[bytes, Account] = {}
        self.windows: dict[WindowKey, Starts] = {}
        self.chats: dict[ChatKey, int] = {}
