"""Balances: each equals its account's state at that version, versions ascend, and the last one exists.

A transaction has at most one balance of an account, written after everything it decided; so which versions have one
depends on the worker's batches, and the topic is compacted. Records are read some way ahead and wait until their
account reaches their version.
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

#: Balances read ahead: more than nearly any transaction has.
_AHEAD_MAX: Final = 50_000


class _Reached(NamedTuple):
    """An account after the event at `at` (UTC ms)."""

    account: Account
    at: int

    @property
    def balance(self) -> Balance:
        return balance_of(self.account, self.at)


class Balances:
    """Compares the balances of one partition in bounded memory."""

    def __init__(self, topic: str, partition: int, accounts: Mapping[bytes, Account], findings: Findings) -> None:
        """`accounts` are the live accounts of the states, by the record key's bytes."""
        self.topic, self._partition = topic, partition
        self._accounts, self._findings = accounts, findings
        self._shape = VersionedShape(catalogue.BALANCES)
        self._stream = Stream(())
        self._lower = self.resume_at = 0
        #: Balances read ahead, by account and version, in the order of their offsets.
        self._ahead: dict[tuple[str, int], Identified] = {}
        self._limits = ALL
        #: Offsets at or above the lower bound that were compared already.
        self._taken: set[int] = set()
        self._last_read: dict[str, int] = {}
        self._last_confirmed: dict[str, int] = {}
        self._changed: dict[str, _Reached] = {}
        self._before_start: dict[str, int] = {}

    def begin(self, batches: Batches, lower: int, limits: Limits) -> None:
        """Starts a round with the records from `resume_at`; those below `lower` must all be expected."""
        self._stream, self._lower, self._limits = Stream(batches), lower, limits
        self._ahead.clear()
        self._last_read = dict(self._last_confirmed)

    def start_from(self, accounts: Mapping[bytes, Account]) -> None:
        """Ignores the balances of these accounts up to their present versions."""
        self._before_start = {account.account_id: account.version for account in accounts.values()}

    def account_reached(self, account: Account, at: int) -> None:
        """Takes an account after a decision's last event, at `at` (UTC ms); compares its balance, if there is one."""
        if len(self._ahead) <= _AHEAD_MAX // 2:
            self._read_ahead()
        reached = self._changed[account.account_id] = _Reached(account, at)
        item = self._ahead.pop((account.account_id, account.version), None)
        if item is not None:
            self._compare(item, reached)

    def _compare(self, item: Identified, reached: _Reached) -> None:
        self._last_confirmed[item.account_id] = reached.account.version
        if item.record.offset() >= self._lower:
            self._taken.add(item.record.offset())
        if faults := self._shape.faults(reached.balance, item.record):
            self._report("altered", item, "; ".join(faults), reached)
        else:
            self._findings.confirm(self.topic, item.type)

    def finish(self) -> None:
        """Ends a round: the last balance of each account must exist, and no balance may be left over."""
        self._read_ahead()
        beyond: dict[str, int] = {}
        for item in self._ahead.values():
            if item.record.offset() >= self._lower:
                beyond[item.account_id] = item.identity[1]
            else:
                self._report("unexpected", item, "no transaction can have ended with the account at this version")
        for account_id, reached in self._changed.items():
            version = reached.account.version
            is_there = self._last_confirmed.get(account_id) == version or beyond.get(account_id, 0) > version
            if not is_there and "last" not in self._limits:
                self._report_missing(account_id, reached)
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
                self._report_unreadable(record, error)
                continue
            self._read(item)

    def _read(self, item: Identified) -> None:
        account_id, version = item.identity
        if version <= self._before_start.get(account_id, 0):
            return
        last = self._last_read.get(account_id, 0)
        if version > last:
            self._last_read[account_id] = version
            reached = self._changed.get(account_id)
            if reached is not None and reached.account.version == version:
                self._compare(item, reached)  # of a transaction with more balances than are read ahead
            else:
                self._ahead[account_id, version] = item
        else:
            kind: Kind = "twice" if version == last else "out_of_order"
            self._report(kind, item, f"version {version} comes after version {last}")

    def _make_room(self) -> bool:
        """Reports the oldest balance as unexpected once its account is past it; False if it is not past it yet."""
        (account_id, version), item = next(iter(self._ahead.items()))
        account = self._accounts.get(account_id.encode())
        if account is None or account.version <= version:
            return False
        del self._ahead[account_id, version]
        self._report("unexpected", item, "no transaction can have ended with the account at this version")
        return True

    def _report(self, kind: Kind, item: Identified, explanation: str, reached: _Reached | None = None) -> None:
        self._findings.add(
            Difference(
                kind,
                self.topic,
                self._partition,
                item.record.offset(),
                explanation,
                account_id=item.account_id,
                expected=None if reached is None else shown(self._shape.encode(reached.balance)),
                found=shown(item.record.value()),
            )
        )

    def _report_missing(self, account_id: str, reached: _Reached) -> None:
        self._findings.add(
            Difference(
                "missing",
                self.topic,
                self._partition,
                None,
                f"the last balance of the account, at version {reached.account.version}, is missing",
                account_id=account_id,
                expected=shown(self._shape.encode(reached.balance)),
            )
        )

    def _report_unreadable(self, record: Record, error: ValueError) -> None:
        self._findings.add(
            Difference(
                "unreadable", self.topic, self._partition, record.offset(), str(error), found=shown(record.value())
            )
        )
