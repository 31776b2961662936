"""When which account is written to the snapshots topic, so that a cold restore need not read the whole journal."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from botmeter.domain.account import Account


@dataclass(slots=True)
class _Pending:
    account: Account
    since: int


class SnapshotSchedule:
    """One partition's: each account at most once in `interval_s`, the last change at the latest that long after it.

    Every snapshot carries an offset of the journal, below which no account's snapshot lacks anything: a restore reads
    the journal from the highest of these. So accounts are `pending` from the first event that their snapshot lacks.
    """

    def __init__(self, interval_s: float, pending: Mapping[bytes, tuple[Account, int]]) -> None:
        """`pending`: an account and the offset of the first event its snapshot may lack, in order of offset."""
        self._interval_s = interval_s
        self._pending = {key: _Pending(account, since) for key, (account, since) in pending.items()}
        self._written_s: dict[bytes, float] = {}

    def note(self, changed: Mapping[bytes, Account], journal_offset: int) -> None:
        """These accounts changed, by events at or after `journal_offset`."""
        for key, account in changed.items():
            pending = self._pending.get(key)
            if pending is None:
                self._pending[key] = _Pending(account, journal_offset)
            else:
                pending.account = account

    def due(self, now_s: float) -> dict[bytes, Account]:
        """The accounts to be written now (`now_s` by a monotonic clock)."""
        return {
            key: pending.account
            for key, pending in self._pending.items()
            if now_s - self._written_s.get(key, -self._interval_s) >= self._interval_s
        }

    def postpone(self, keys: Iterable[bytes], now_s: float) -> None:
        """These are due and cannot be written: they stay pending, and are not due again before the interval is over."""
        for key in keys:
            self._written_s[key] = now_s

    def written(self, keys: Iterable[bytes], now_s: float) -> None:
        """The transaction with these snapshots is committed."""
        for key in keys:
            self._written_s[key] = now_s
            self._pending.pop(key, None)

    def floor(self, journal_offset: int, but: Container[bytes] = ()) -> int:
        """The lowest offset of the journal that the snapshot of some account, but of these, may lack.

        It is the end of the journal, `journal_offset`, if none lacks anything.
        """
        # Accounts became pending in the order of their offsets, so the first is the lowest.
        rest = (pending.since for key, pending in self._pending.items() if key not in but)
        return next(rest, journal_offset)
