"""When which account is written to the snapshots topic, so that a cold restore need not read the whole journal."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import Final

from botmeter.domain.account import Account

#: Before every moment of a monotonic clock.
_AT_ONCE_S: Final = float("-inf")


@dataclass(slots=True)
class _Pending:
    account: Account
    since: int


class SnapshotSchedule:
    """One partition's: each account at most once in `interval_s`, the last change at the latest that long after it.

    Every snapshot carries an offset of the journal, below which no account's snapshot lacks anything: a restore reads
    the journal from the highest of these. So accounts are `pending` from the first event that their snapshot lacks.
    """

    def __init__(self, interval_s: float, pending: Mapping[bytes, tuple[Account, int]], topic_id: str) -> None:
        """`pending`: an account and the offset of the first event its snapshot may lack; `topic_id`: see the field."""
        #: Kafka's id of the snapshots topic when the partition was restored.
        self.topic_id = topic_id
        self._interval_s = interval_s
        # In the order of `since`. Accounts come and go at both ends, and the first of a plain dict, past what was
        # deleted before it, takes longer the more that was.
        self._pending: OrderedDict[bytes, _Pending] = OrderedDict(
            (key, _Pending(account, since))
            for key, (account, since) in sorted(pending.items(), key=lambda item: item[1][1])
        )
        self._written_s: dict[bytes, float] = {}
        # Each pending account is in one of the two: waiting for its moment, earliest first, or past it. Walking through
        # all that are pending at every commit would keep the interpreter from the decider.
        self._waiting: list[tuple[float, bytes]] = [(_AT_ONCE_S, key) for key in self._pending]
        heapify(self._waiting)
        self._due: set[bytes] = set()
        self._postponed: set[bytes] = set()

    def note(self, changed: Mapping[bytes, Account], journal_offset: int) -> None:
        """These accounts changed, by events at or after `journal_offset`."""
        for key, account in changed.items():
            pending = self._pending.get(key)
            if pending is not None:
                pending.account = account
                continue
            self._pending[key] = _Pending(account, journal_offset)
            written_s = self._written_s.get(key)
            heappush(self._waiting, (_AT_ONCE_S if written_s is None else written_s + self._interval_s, key))

    def due(self, now_s: float, accounts_max: int) -> dict[bytes, Account]:
        """The accounts to be written now (`now_s` by a monotonic clock), until they are `written` or postponed.

        They are at most `accounts_max`; the others stay due.
        """
        while self._waiting and self._waiting[0][0] <= now_s:
            self._due.add(heappop(self._waiting)[1])
        return {key: self._pending[key].account for key in islice(self._due, accounts_max)}

    def postpone(self, keys: Iterable[bytes], now_s: float) -> None:
        """These are due and cannot be written: they stay pending, and are not due again before the interval is over."""
        for key in keys:
            self._due.discard(key)
            self._postponed.add(key)
            heappush(self._waiting, (now_s + self._interval_s, key))

    def written(self, keys: Iterable[bytes], now_s: float) -> None:
        """The transaction with the snapshots of these, which were due, is committed."""
        for key in keys:
            self._written_s[key] = now_s
            self._due.discard(key)
            self._postponed.discard(key)
            del self._pending[key]

    def pending(self) -> dict[bytes, int]:
        """The accounts that their snapshots lack something of, and the first offset they may lack."""
        return {key: pending.since for key, pending in list(self._pending.items())}

    def postponed(self) -> dict[bytes, int]:
        """The accounts that could not be written when they were due last, and the first offset their snapshots lack."""
        return {key: self._pending[key].since for key in self._postponed}

    def floor(self, journal_offset: int, but: Container[bytes] = ()) -> int:
        """The lowest offset of the journal that the snapshot of some account, but of these, may lack.

        It is the end of the journal, `journal_offset`, if none lacks anything.
        """
        # Accounts became pending in the order of their offsets, so the first is the lowest.
        rest = (pending.since for key, pending in self._pending.items() if key not in but)
        return next(rest, journal_offset)
