"""The states of one partition in memory: all accounts, and a cache of the store's windows and chats.

Memory may be ahead of the store by the batches not yet committed. When a commit fails, all of it is dropped and
restored, so no change has to be undone.

Windows and chats are flat dictionaries from bytes to integers: half the memory of tuples, and the garbage collector
does not walk them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Final

from botmeter.contracts.session_started import charge_of, head_of
from botmeter.domain import events as ev
from botmeter.domain.account import Account, evolve, evolve_over_gap, with_sessions
from botmeter.domain.events import Event
from botmeter.domain.metering import counts_only_below
from botmeter.domain.prices import Rules
from botmeter.domain.sessions import with_start
from botmeter.metering.store import NEVER, Store
from botmeter.metering.windows import (
    BIAS,
    ChatKey,
    PackedStarts,
    WindowKey,
    chat_key,
    live_prefix,
    pack,
    preview_prefix,
    unpack,
    window_key,
)

#: A time before all others, UTC ms.
_NEVER: Final = -(1 << 62)
#: Memory of one window: the objects of its key and value, and their entry in the dictionary.
WINDOW_BYTES: Final = 150


class Generations:
    """A bounded cache of two generations; it evicts entries that were not used during a whole generation.

    Entries of uncommitted batches are safe: generations turn at most once a batch, so an entry survives the two batches
    that may be in progress before it is written to the store.
    """

    __slots__ = ("_absent", "_fetch", "_generation_max", "_old", "is_whole", "young")

    def __init__(self, fetch: Callable[[Sequence[bytes]], Sequence[int]], size_max: int, absent: int) -> None:
        """`fetch` reads the values of keys from the store; `size_max` is a number of entries.

        `absent` is the value of a key that the store does not have.
        """
        self._fetch = fetch
        self._absent = absent
        #: Whether the cache holds everything in the store: the store was empty at first and nothing was evicted since.
        self.is_whole = False
        self._generation_max = max(1, size_max // 2)
        self._old: dict[bytes, int] = {}
        #: Read directly in the hot path; `prefetch` brings missing keys in.
        self.young: dict[bytes, int] = {}

    def turn(self) -> None:
        """Makes the young generation the old one when it is full. Called once before each batch."""
        if len(self.young) > self._generation_max:
            self.is_whole = self.is_whole and not self._old
            self._old, self.young = self.young, {}

    def prefetch(self, keys: Iterable[bytes]) -> None:
        """Brings the keys into `young`: from the old generation, or in one call from the store (I/O)."""
        missing: list[bytes] = []
        young, old = self.young, self._old
        for key in keys:
            if key not in young:
                value = old.get(key)
                if value is None:
                    missing.append(key)
                else:
                    young[key] = value
        if missing and self.is_whole:
            self.young.update(dict.fromkeys(missing, self._absent))
        elif missing:
            self.young.update(zip(missing, self._fetch(missing), strict=True))


class AccountState:
    """One account in memory: the aggregate, and the values that the hot path reads for every interaction.

    `used` and `version` are ahead of the aggregate by the session starts that were only counted; reading `account`
    folds them into it.
    """

    __slots__ = (
        "_account",
        "account_id",
        "charge",
        "counts_only_below",
        "cycle_number",
        "cycle_starts_at",
        "head",
        "live",
        "open_until",
        "preview",
        "used",
        "version",
    )

    _account: Account
    version: int
    used: int

    def __init__(self, account: Account) -> None:
        self.account_id = account.account_id
        self.live = live_prefix(account.account_id)
        self.preview = preview_prefix(account.account_id)
        #: First part of its session starts in the journal; see `contracts/session_started.py`.
        self.head = head_of(account.account_id)
        self.account = account

    @property
    def remaining(self) -> int:
        """Sessions that can still be charged in the current cycle."""
        return self._account.allowance.total - self.used

    @property
    def account(self) -> Account:
        """The account after all decisions so far."""
        if self.version != self._account.version:
            self._account = with_sessions(self._account, self.used, self.version)
        return self._account

    @account.setter
    def account(self, account: Account) -> None:
        self._account = account
        self.version, self.used = account.version, account.allowance.used
        self.cycle_number, self.cycle_starts_at = account.cycle.number, account.cycle.starts_at
        #: No cycle rolls before this broker time. Always in the past for a closed account, which refuses interactions.
        self.open_until = _NEVER if account.status == "closed" else account.cycle.ends_at
        self.counts_only_below = counts_only_below(account)
        self.charge = charge_of(account.cycle.number, account.allowance.pool)


class PartitionState:
    """The states that one partition's decisions depend on, and the changes since `begin_batch`."""

    def __init__(self, store: Store, rules: Rules, cache_windows: int) -> None:
        self._rules = rules
        #: By the bytes of the record's key, which the hot path has.
        self.accounts: dict[bytes, AccountState] = {}
        self.windows = Generations(store.windows, cache_windows, absent=0)
        self.chats = Generations(store.chats, cache_windows, absent=NEVER)
        self.windows.is_whole = self.chats.is_whole = store.mark() is None
        self._boundaries: list[tuple[int, bytes]] = []
        #: The highest broker timestamp taken so far, UTC ms; 0 when there is none.
        self.stream_time = 0
        self.changes = Changes()
        for account in store.accounts():
            self.put_account(account)

    def folded(self) -> Mapping[bytes, Account]:
        """Returns every account after all decisions so far."""
        return {key: state.account for key, state in self.accounts.items()}

    def account(self, key: bytes) -> Account | None:
        """Returns the account after all decisions so far; None when there is none."""
        state = self.accounts.get(key)
        return None if state is None else state.account

    def put_account(self, account: Account) -> None:
        """Adds or replaces an account: one just decided, or one read from a store or a snapshot."""
        key = account.account_id.encode()
        state = self.accounts.get(key)
        if state is None:
            self.accounts[key] = AccountState(account)
            heappush(self._boundaries, (account.cycle.ends_at, key))
            return
        if state.account.cycle.ends_at != account.cycle.ends_at:
            heappush(self._boundaries, (account.cycle.ends_at, key))
        state.account = account

    def begin_batch(self) -> None:
        """Prepares for a micro-batch: turns the caches and clears the changes of the previous one."""
        self.windows.turn()
        self.chats.turn()
        self.changes = Changes()

    def apply(self, key: bytes, event: Event) -> Account:
        """Folds an event into the states; the caller has prefetched its window or chat.

        Raises ValueError when the event does not follow its account's version (`J1`).
        """
        after = evolve(self.account(key), event)
        self._changed(key, after, event)
        return after

    def apply_over_gap(self, key: bytes, event: Event) -> None:
        """Like `apply`, but below an accepted loss; an account whose opening is lost stays unknown."""
        after = evolve_over_gap(self.account(key), event)
        if after is None:
            self.remember(event)
        else:
            self._changed(key, after, event)

    def _changed(self, key: bytes, after: Account, event: Event) -> None:
        self.put_account(after)
        self.changes.accounts[key] = after
        self.remember(event)

    def remember(self, event: Event) -> None:
        """Folds an event into the windows and chats only."""
        if isinstance(event, ev.SessionStarted):
            key = window_key(event.account_id, event.end_user_id, event.preview)
            self.add_start(key, self.windows.young[key], event.started_at, event.at)
        elif isinstance(event, ev.ChatHandedOff):
            chat = chat_key(event.account_id, event.conversation_id)
            self.chats.young[chat] = self.changes.chats[chat] = max(self.chats.young[chat], event.at)

    def add_start(self, key: WindowKey, known: PackedStarts, started_at: int, at: int) -> None:
        """Adds a start to a window with the `known` starts; the broker received it at `at` (UTC ms)."""
        starts = pack(with_start(unpack(known), started_at, at, self._rules)) if known else started_at + BIAS
        self.windows.young[key] = self.changes.windows[key] = starts

    def is_due(self, at: int) -> bool:
        """Whether a cycle may end at or before `at` (UTC ms); `due` returns which."""
        return bool(self._boundaries) and self._boundaries[0][0] <= at

    def soonest(self) -> Mapping[bytes, Account]:
        """Returns the account whose cycle may end first, by its key; empty when there are no boundaries."""
        return {key: self.accounts[key].account for _, key in self._boundaries[:1]}

    def due(self, at: int, accounts_max: int) -> list[bytes]:
        """Returns the accounts whose cycle ends at or before `at` (UTC ms), earliest first; each is returned once.

        Returns at most `accounts_max`; `is_due` is true afterwards when there may be more.
        """
        due: list[bytes] = []
        while self.is_due(at) and len(due) < accounts_max:
            ends_at, key = heappop(self._boundaries)
            account = self.accounts[key].account
            if account.cycle.ends_at == ends_at and account.status != "closed":
                due.append(key)
        return due


class Changes:
    """The states that a micro-batch changed, each with its value after the batch."""

    __slots__ = ("accounts", "chats", "windows")

    def __init__(self) -> None:
        self.accounts: dict[bytes, Account] = {}
        self.windows: dict[WindowKey, PackedStarts] = {}
        self.chats: dict[ChatKey, int] = {}
