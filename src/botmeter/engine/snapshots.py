"""Schedules the snapshots of accounts, so that a cold restore need not read the whole journal."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import Final

from botmeter.domain.account import Account

#: Before every time of a monotonic clock.
_AT_ONCE_S: Final = float("-inf")


@dataclass(slots=True)
class _Pending:
    account: Account
    since: int


class SnapshotSchedule:
    """The schedule of one partition: an account is written at most once, and a change no later, in `interval_s`.

    Every snapshot carries an offset of the journal below which no account's snapshot lacks an event; a restore reads
    the journal from the highest of these. So accounts are `pending` from the first event that their snapshot lacks.
    """

    def __init__(self, interval_s: float, pending: Mapping[bytes, tuple[Account, int]], topic_id: str) -> None:
        """`pending`: accounts and the offset of the first event that their snapshot may lack; `topic_id`: see below."""
        #: Kafka's id of the snapshots topic when the partition was restored.
        self.topic_id = topic_id
        self._interval_s = interval_s
        # In the order of `since`. Finding the first entry of a plain dict takes longer the more entries before it were
        # deleted.
        self._pending: OrderedDict[bytes, _Pending] = OrderedDict(
            (key, _Pending(account, since))
            for key, (account, since) in sorted(pending.items(), key=lambda item: item[1][1])
        )
        self._written_s: dict[bytes, float] = {}
        # Each pending account is in one of the two: waiting until it is due, earliest first, or due. A scan of all
        # pending accounts at every commit would block the deciding thread.
        self._waiting: list[tuple[float, bytes]] = [(_AT_ONCE_S, key) for key in self._pending]
        heapify(self._waiting)
        self._due: set[bytes] = set()
        self._postponed: set[bytes] = set()

    def note(self, changed: Mapping[bytes, Account], journal_offset: int) -> None:
        """Adds accounts that changed by events at or after `journal_offset`."""
        for key, account in changed.items():
            pending = self._pending.get(key)
            if pending is not None:
                pending.account = account
                continue
            self._pending[key] = _Pending(account, journal_offset)
            written_s = self._written_s.get(key)
            heappush(self._waiting, (_AT_ONCE_S if written_s is None else written_s + self._interval_s, key))

    def due(self, now_s: float, accounts_max: int) -> dict[bytes, Account]:
        """Returns the accounts due at `now_s` (by a monotonic clock); they stay due until `written` or postponed.

        Returns at most `accounts_max`.
        """
        while self._waiting and self._waiting[0][0] <= now_s:
            self._due.add(heappop(self._waiting)[1])
        return {key: self._pending[key].account for key in islice(self._due, accounts_max)}

    def postpone(self, keys: Iterable[bytes], now_s: float) -> None:
        """Postpones due accounts that cannot be written: they stay pending, and are due again after the interval."""
        for key in keys:
            self._due.discard(key)
            self._postponed.add(key)
            heappush(self._waiting, (now_s + self._interval_s, key))

    def written(self, keys: Iterable[bytes], now_s: float) -> None:
        """Removes due accounts whose snapshots were committed."""
        for key in keys:
            self._written_s[key] = now_s
            self._due.discard(key)
            self._postponed.discard(key)
            del self._pending[key]

    def pending(self) -> dict[bytes, int]:
        """Returns the accounts whose snapshots lack events, with the first offset that they may lack."""
        return {key: pending.since for key, pending in list(self._pending.items())}

    def postponed(self) -> dict[bytes, int]:
        """Returns the accounts that could not be written when last due, with the first offset that they lack."""
        return {key: self._pending[key].since for key in self._postponed}

    def floor(self, journal_offset: int, excluding: Container[bytes] = ()) -> int:
        """Returns the lowest journal offset that an account's snapshot may lack, `excluding` some accounts.

        Returns the end of the journal, `journal_offset`, if no snapshot lacks an event.
        """
        # Accounts became pending in the order of their offsets, so the first is the lowest.
        others = (pending.since for key, pending in self._pending.items() if key not in excluding)
        return next(others, journal_offset)
