"""The states of one partition, folded from its events: accounts, session starts, chats handed off."""

from __future__ import annotations

from typing import Final

from botmeter.domain import events as ev
from botmeter.domain.account import Account, evolve, evolve_over_gap
from botmeter.domain.events import Event
from botmeter.domain.prices import HOUR_MS, Rules
from botmeter.domain.sessions import Starts, memory_ms, with_start

#: (account_id, end_user_id, preview) (`S2`).
WindowKey = tuple[str, str, bool]
#: (account_id, conversation_id).
ChatKey = tuple[str, str]

#: The time between two sweeps of expired windows and chats, by broker time.
_SWEEP_INTERVAL_MS: Final = 6 * HOUR_MS


class States:
    """Everything that a decision needs. Windows and chats are kept as long as a record can still fall into them."""

    def __init__(self, longest: Rules) -> None:
        """`longest`: of all rules of the log, those with the longest memory of session starts."""
        self._longest = longest
        self._memory_ms = memory_ms(longest) + longest.ahead_limit_ms
        self._next_sweep_at = 0
        #: By the record key's bytes.
        self.accounts: dict[bytes, Account] = {}
        self.windows: dict[WindowKey, Starts] = {}
        #: When each conversation was handed off last, UTC ms.
        self.chats: dict[ChatKey, int] = {}

    def apply(self, key: bytes, event: Event) -> Account:
        """Folds one event. Raises ValueError when it does not follow its account's version (`J1`)."""
        account = self.accounts[key] = evolve(self.accounts.get(key), event)
        self._remember(event)
        return account

    def fold(self, event: Event) -> bool:
        """Folds an event that precedes the start; False when its account's snapshot contains it already.

        Raises ValueError as `apply`.
        """
        key = event.account_id.encode()
        account = self.accounts.get(key)
        if account is None or event.version > account.version:
            self.apply(key, event)
            return True
        self._remember(event)
        return False

    def fold_over_gap(self, event: Event) -> None:
        """As `fold`, but below an accepted loss: events before this one, and their changes, may be missing."""
        key = event.account_id.encode()
        account = self.accounts.get(key)
        if account is None or event.version > account.version:
            after = evolve_over_gap(account, event)
            if after is not None:
                self.accounts[key] = after
        self._remember(event)

    def _remember(self, event: Event) -> None:
        """Keeps session starts and handoffs, which accounts do not hold."""
        if isinstance(event, ev.SessionStarted):
            window = (event.account_id, event.end_user_id, event.preview)
            self.windows[window] = with_start(self.windows.get(window, ()), event.started_at, event.at, self._longest)
        elif isinstance(event, ev.ChatHandedOff):
            chat = (event.account_id, event.conversation_id)
            self.chats[chat] = max(self.chats.get(chat, event.at), event.at)

    def expire(self, at: int) -> None:
        """Drops windows and chats that no record after the broker time `at` (UTC ms) can fall into; sweeps rarely."""
        if at < self._next_sweep_at:
            return
        self._next_sweep_at = at + _SWEEP_INTERVAL_MS
        horizon = at - self._memory_ms
        self.windows = {key: starts for key, starts in self.windows.items() if starts[-1] > horizon}
        self.chats = {key: handed_off_at for key, handed_off_at in self.chats.items() if handed_off_at > horizon}
