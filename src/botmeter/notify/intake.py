"""From records to the outbox: what is told, to whom, and where to read on."""

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
from botmeter.notify.outbox import Outbox, Told, Unreadable
from botmeter.notify.projection import projected, projected_id
from botmeter.notify.recipients import recipients_of

log = logging.getLogger(__name__)

#: A handoff may be read before the journal's record of the same transaction. Past this its account is not in the
#: journal at all, and the handoff is told without contacts.
HELD_MS: Final = 60_000
_NOBODY: Final = Entry((), "UTC")


@dataclass(slots=True)
class Taken:
    """What a batch came to. `held`: partitions of which the rest is to be read again. `told`: with its record."""

    progress: dict[Place, int] = field(default_factory=dict)
    held: set[Place] = field(default_factory=set)
    told: list[tuple[Received, Told]] = field(default_factory=list)
    bad: list[Unreadable] = field(default_factory=list)


class Takes(Protocol):
    """What takes batches of records."""

    def take(self, records: Sequence[Received]) -> Taken:
        """Keep what the records tell, in one transaction with where to read on."""


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
        """`endpoints` are called for every notice; without `sends_mail` contacts are left alone."""
        self._outbox, self._directory, self._topics = outbox, directory, topics
        self._endpoints, self._clock_ms, self._sends_mail = endpoints, clock_ms, sends_mail
        #: Since when a record is held back, UTC ms.
        self._held_since: dict[tuple[Place, int], int] = {}
        #: Warnings that were told since the start: balances come often.
        self._warned: set[str] = set()

    def take(self, records: Sequence[Received]) -> Taken:
        """Keep what the records tell, in one transaction with where to read on.

        The journal comes first, so that whom it names is known to what was read with it.
        """
        taken = Taken()
        journal = [record for record in records if record.place.topic == self._topics.journal.name]
        rest = [record for record in records if record.place.topic != self._topics.journal.name]
        self._directory.learn([change for record in journal if (change := self._change(record, taken))])
        known = self._directory.entries(self._accounts_without_contacts(rest))
        for record in rest:
            if record.place not in taken.held:
                self._take(record, known, taken)
        self._outbox.record([told for _, told in taken.told], taken.bad, taken.progress)
        return taken

    def _change(self, record: Received, taken: Taken) -> Change | None:
        taken.progress[record.place] = record.offset + 1
        try:
            return change_in(record.value)
        except ValueError as error:
            self._set_apart(record, error, taken)
            return None

    def _take(self, record: Received, known: dict[str, Entry], taken: Taken) -> None:
        try:
            told = self._told(record, known)
        except ValueError as error:
            self._set_apart(record, error, taken)
            told = None
        except _AccountNotKnownYet:
            taken.held.add(record.place)
            return
        taken.progress[record.place] = record.offset + 1
        if told is not None:
            taken.told.append((record, told))

    def _told(self, record: Received, known: dict[str, Entry]) -> Told | None:
        """What the record tells, None when nothing. Raises ValueError, _AccountNotKnownYet."""
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

    def _warning(self, record: Received, known: dict[str, Entry]) -> Told | None:
        balance = BALANCES.decode(record.value)
        entry = known.get(balance.account_id)
        if entry is None or projected_id(balance) in self._warned:
            return None
        notice = projected(balance, entry.time_zone)
        if notice is None or self._outbox.is_quiet(notice):  # once recorded, it would not be told in this cycle at all
            return None
        self._warned.add(notice.notice_id)
        return self._addressed(notice, entry)

    def _addressed(self, notice: Notice, entry: Entry) -> Told:
        contacts = entry.contacts if self._sends_mail else ()
        return Told(notice, recipients_of(notice, contacts, self._endpoints), entry.time_zone)

    def _entry(self, record: Received, notice: Notice, known: dict[str, Entry]) -> Entry:
        """Whom the journal names; raises _AccountNotKnownYet while it may still come to it."""
        place = (record.place, record.offset)
        if not self._sends_mail:
            return _NOBODY
        if entry := known.get(notice.account_id):
            self._held_since.pop(place, None)
            return entry
        now_ms = self._clock_ms()
        if not self._outbox.is_quiet(notice) and now_ms - self._held_since.setdefault(place, now_ms) < HELD_MS:
            raise _AccountNotKnownYet
        self._held_since.pop(place, None)
        log.warning("%s: the journal does not name the account; nobody gets a mail", notice.notice_id)
        return _NOBODY

    def _accounts_without_contacts(self, records: Sequence[Received]) -> list[str]:
        alerts = self._topics.alerts.name
        keys = {record.key for record in records if record.key and record.place.topic != alerts}
        return sorted(key.decode("utf-8", "replace") for key in keys)

    def _set_apart(self, record: Received, error: ValueError, taken: Taken) -> None:
        message = "%s, partition %d, offset %d is no message of the contract: %s"
        log.warning(message, *record.place, record.offset, error)
        taken.bad.append(Unreadable(record.place, record.offset, str(error)))
        taken.progress[record.place] = record.offset + 1


class _AccountNotKnownYet(Exception):  # noqa: N818 - named by what happened
    """The journal was not read so far."""
