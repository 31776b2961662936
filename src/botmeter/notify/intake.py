"""The intake: from records of the topics to notices with recipients in the outbox, with the offsets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from botmeter.contracts.catalogue import ALERTS, BALANCES
from botmeter.contracts.topics import Topics
from botmeter.kafka.subscription import Place, Received
from botmeter.notify.directory import Change, Directory, Entry, change_in
from botmeter.notify.notices import ALERT_KINDS, Notice, notice_of
from botmeter.notify.outbox import AddressedNotice, Outbox, Unreadable
from botmeter.notify.projection import projected, projected_id
from botmeter.notify.recipients import recipients_of

log = logging.getLogger(__name__)

#: A handoff may be read before the journal's record of the same transaction, and is held back until then. After this
#: time its account is taken as missing from the journal, and the notice goes out without contacts.
HELD_MS: Final = 60_000
_NO_CONTACTS: Final = Entry((), "UTC")


@dataclass(slots=True)
class IntakeResult:
    """The result of a batch. `held` are partitions that must be read again from their `progress`."""

    progress: dict[Place, int] = field(default_factory=dict)
    held: set[Place] = field(default_factory=set)
    addressed: list[tuple[Received, AddressedNotice]] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


class NoticeIntake(Protocol):
    """Takes batches of records into the outbox."""

    def take(self, records: Sequence[Received]) -> IntakeResult:
        """Store the records' notices and the next offsets in one transaction."""


class Intake:
    """Takes records of the journal, the alerts, the handoffs and the balances, in batches."""

    def __init__(
        self,
        outbox: Outbox,
        directory: Directory,
        topics: Topics,
        endpoints: Sequence[str],
        clock_ms: Callable[[], int],
        *,
        sends_mail: bool,
    ) -> None:
        """`endpoints` are called for every notice; without `sends_mail` contacts are ignored."""
        self._outbox, self._directory, self._topics = outbox, directory, topics
        self._endpoints, self._clock_ms, self._sends_mail = endpoints, clock_ms, sends_mail
        #: When a record was first held back, UTC ms.
        self._held_since: dict[tuple[Place, int], int] = {}
        #: Warnings recorded since the start: balances come often, and the database need not be asked each time.
        self._warned: set[str] = set()

    def take(self, records: Sequence[Received]) -> IntakeResult:
        """Store the records' notices and the next offsets in one transaction.

        The journal is taken first, so that its contacts are known to the notices of the same batch.
        """
        result = IntakeResult()
        journal = [record for record in records if record.place.topic == self._topics.journal.name]
        rest = [record for record in records if record.place.topic != self._topics.journal.name]
        self._directory.update([change for record in journal if (change := self._change(record, result))])
        known = self._directory.entries(self._accounts_without_contacts(rest))
        for record in rest:
            if record.place not in result.held:
                self._take(record, known, result)
        self._outbox.record([addressed for _, addressed in result.addressed], result.unreadable, result.progress)
        return result

    def _change(self, record: Received, result: IntakeResult) -> Change | None:
        result.progress[record.place] = record.offset + 1
        try:
            return change_in(record.value)
        except ValueError as error:
            self._exclude(record, error, result)
            return None

    def _take(self, record: Received, known: dict[str, Entry], result: IntakeResult) -> None:
        try:
            addressed = self._notice_in(record, known)
        except ValueError as error:
            self._exclude(record, error, result)
            addressed = None
        except _AccountNotKnownYet:
            result.held.add(record.place)
            return
        result.progress[record.place] = record.offset + 1
        if addressed is not None:
            result.addressed.append((record, addressed))

    def _notice_in(self, record: Received, known: dict[str, Entry]) -> AddressedNotice | None:
        """The record's notice with its recipients, None when it has none. Raises ValueError, _AccountNotKnownYet."""
        if record.place.topic == self._topics.balances.name:
            return self._warning(record, known)
        notice = notice_of(record)
        if notice is None:
            return None
        if notice.kind in ALERT_KINDS:
            alert = ALERTS.decode(record.value)
            entry = Entry(alert.contacts, alert.time_zone or "UTC")
        else:
            entry = self._entry(record, notice, known)
        return self._addressed(notice, entry)

    def _warning(self, record: Received, known: dict[str, Entry]) -> AddressedNotice | None:
        balance = BALANCES.decode(record.value)
        entry = known.get(balance.account_id)
        if entry is None or projected_id(balance) in self._warned:
            return None
        notice = projected(balance, entry.time_zone)
        if notice is None or self._outbox.is_quiet(notice):  # recorded as skipped, it would not be sent in this cycle
            return None
        self._warned.add(notice.notice_id)
        return self._addressed(notice, entry)

    def _addressed(self, notice: Notice, entry: Entry) -> AddressedNotice:
        contacts = entry.contacts if self._sends_mail else ()
        return AddressedNotice(notice, recipients_of(notice, contacts, self._endpoints), entry.time_zone)

    def _entry(self, record: Received, notice: Notice, known: dict[str, Entry]) -> Entry:
        """The account's entry. Raises _AccountNotKnownYet while the journal may not have been read far enough."""
        place = (record.place, record.offset)
        if not self._sends_mail:
            return _NO_CONTACTS
        if entry := known.get(notice.account_id):
            self._held_since.pop(place, None)
            return entry
        now_ms = self._clock_ms()
        if not self._outbox.is_quiet(notice) and now_ms - self._held_since.setdefault(place, now_ms) < HELD_MS:
            raise _AccountNotKnownYet
        self._held_since.pop(place, None)
        log.warning("%s: the account is not in the journal; no mail is sent", notice.notice_id)
        return _NO_CONTACTS

    def _accounts_without_contacts(self, records: Sequence[Received]) -> list[str]:
        alerts = self._topics.alerts.name
        keys = {record.key for record in records if record.key and record.place.topic != alerts}
        return sorted(key.decode("utf-8", "replace") for key in keys)

    def _exclude(self, record: Received, error: ValueError, result: IntakeResult) -> None:
        message = "%s, partition %d, offset %d is no message of the contract: %s"
        log.warning(message, *record.place, record.offset, error)
        result.unreadable.append(Unreadable(record.place, record.offset, str(error)))
        result.progress[record.place] = record.offset + 1


class _AccountNotKnownYet(Exception):  # noqa: N818 - named by what happened
    """The account is not in the journal as far as it was read."""
