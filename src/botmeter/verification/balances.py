"""Balances: each is where its account stood at that version, they ascend, and the last one is there.

A transaction has at most one balance of an account, written after everything it decided; so which versions have one
depends on how the worker cut its batches, and the topic is compacted. Records are read some way ahead and wait for
their account to come to their version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from botmeter.contracts import catalogue
from botmeter.domain.account import Account
from botmeter.domain.announcements import Balance, balance_of
from botmeter.verification.findings import Difference, Findings, Kind, shown
from botmeter.verification.records import Batches, Record, Stream
from botmeter.verification.sequence import ALL, Limits
from botmeter.verification.wire import Identified, VersionedShape

#: Balances read ahead: more than any transaction has.
_AHEAD_MAX: Final = 50_000


class _Standing(NamedTuple):
    """An account as it stood after the event at `at` (UTC ms)."""

    account: Account
    at: int

    @property
    def balance(self) -> Balance:
        return balance_of(self.account, self.at)


class Balances:
    """Compares the balances of one partition in bounded memory."""

    def __init__(self, topic: str, partition: int, accounts: Mapping[bytes, Account], findings: Findings) -> None:
        """`accounts` are those of the states, by the record key's bytes, as they are at any moment."""
        self.topic, self._partition = topic, partition
        self._accounts, self._findings = accounts, findings
        self._shape = VersionedShape(catalogue.BALANCES)
        self._stream = Stream(())
        self._lower = self.resume_at = 0
        #: By account and version, in the order of their offsets.
        self._ahead: dict[tuple[str, int], Identified] = {}
        self._limits = ALL
        #: Offsets at or above the lower end that were compared already.
        self._taken: set[int] = set()
        self._last_read: dict[str, int] = {}
        self._last_confirmed: dict[str, int] = {}
        self._changed: dict[str, _Standing] = {}
        self._before_start: dict[str, int] = {}

    def begin(self, batches: Batches, lower: int, limits: Limits) -> None:
        """Goes on with the records from `resume_at`; those below `lower` must all be expected."""
        self._stream, self._lower, self._limits = Stream(batches), lower, limits
        self._ahead.clear()
        self._last_read = dict(self._last_confirmed)

    def start_from(self, accounts: Mapping[bytes, Account]) -> None:
        """What these accounts' balances said up to now is not looked at."""
        self._before_start = {account.account_id: account.version for account in accounts.values()}

    def reached(self, account: Account, at: int) -> None:
        """A decision has brought the account to this version, by an event at `at` (UTC ms)."""
        if len(self._ahead) <= _AHEAD_MAX // 2:
            self._read_ahead()
        standing = self._changed[account.account_id] = _Standing(account, at)
        item = self._ahead.pop((account.account_id, account.version), None)
        if item is None:
            return
        self._last_confirmed[account.account_id] = account.version
        if item.record.offset() >= self._lower:
            self._taken.add(item.record.offset())
        if faults := self._shape.faults(standing.balance, item.record):
            self._tell("altered", item, "; ".join(faults), standing)
        else:
            self._findings.confirm(self.topic, item.type)

    def finish(self) -> None:
        """At the end of all inputs: the last balance of each account was there, and none is left over."""
        self._read_ahead()
        beyond: dict[str, int] = {}
        for item in self._ahead.values():
            if item.record.offset() >= self._lower:
                beyond[item.account_id] = item.identity[1]
            else:
                self._tell("unexpected", item, "the account did not stand there when a transaction ended")
        for account_id, standing in self._changed.items():
            version = standing.account.version
            is_there = self._last_confirmed.get(account_id) == version or beyond.get(account_id, 0) > version
            if not is_there and "last" not in self._limits:
                self._tell_missing(account_id, standing)
        self._ahead.clear()
        self._changed.clear()
        self._taken = {offset for offset in self._taken if offset >= self._lower}
        self.resume_at = self._lower

    def _read_ahead(self) -> None:
        while self._stream.peek() is not None:
            if len(self._ahead) >= _AHEAD_MAX and not self._make_room():
                return
            record = self._stream.take()
            if record.offset() in self._taken:
                continue
            try:
                item = self._shape.identify(record)
            except ValueError as error:
                self._tell_unreadable(record, error)
                continue
            self._read(item)

    def _read(self, item: Identified) -> None:
        account_id, version = item.identity
        if version <= self._before_start.get(account_id, 0):
            return
        last = self._last_read.get(account_id, 0)
        if version > last:
            self._last_read[account_id] = version
            self._ahead[account_id, version] = item
        else:
            kind: Kind = "twice" if version == last else "out_of_order"
            self._tell(kind, item, f"version {version} comes after version {last}")

    def _make_room(self) -> bool:
        """Gives up the oldest balance once its account is past it; whether it did."""
        (account_id, version), item = next(iter(self._ahead.items()))
        account = self._accounts.get(account_id.encode())
        if account is None or account.version < version:
            return False
        del self._ahead[account_id, version]
        self._tell("unexpected", item, "the account did not stand there when a transaction ended")
        return True

    def _tell(self, kind: Kind, item: Identified, explanation: str, standing: _Standing | None = None) -> None:
        self._findings.add(
            Difference(
                kind,
                self.topic,
                self._partition,
                item.record.offset(),
                explanation,
                account_id=item.account_id,
                expected=None if standing is None else shown(self._shape.encode(standing.balance)),
                found=shown(item.record.value()),
            )
        )

    def _tell_missing(self, account_id: str, standing: _Standing) -> None:
        self._findings.add(
            Difference(
                "missing",
                self.topic,
                self._partition,
                None,
                f"the last balance of the account, at version {standing.account.version}, is not there",
                account_id=account_id,
                expected=shown(self._shape.encode(standing.balance)),
            )
        )

    def _tell_unreadable(self, record: Record, error: ValueError) -> None:
        self._findings.add(
            Difference(
                "unreadable", self.topic, self._partition, record.offset(), str(error), found=shown(record.value())
            )
        )
