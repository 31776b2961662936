"""From records to the outbox: what is told, to whom, and where to read on."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from botmeter.kafka.subscription import Place, Received
from botmeter.notify.notices import Announced, NotReadableError, announced
from botmeter.notify.outbox import Outbox, Told, Unreadable
from botmeter.notify.recipients import recipients_of

log = logging.getLogger(__name__)


class Intake:
    """Takes records of the alerts and handoffs, in batches."""

    def __init__(self, outbox: Outbox, endpoints: Sequence[str], *, sends_mail: bool) -> None:
        """`endpoints` are called for every notice; without `sends_mail` contacts are left alone."""
        self._outbox = outbox
        self._endpoints = endpoints
        self._sends_mail = sends_mail
        #: Records by what became of them, for the metrics.
        self.counts: Counter[str] = Counter()

    def take(self, records: Sequence[Received]) -> dict[Place, int]:
        """Keep what the records tell, in one transaction with where to read on, which is returned."""
        told, bad = [], []
        for record in records:
            try:
                found = announced(record)
            except NotReadableError as error:
                log.warning(
                    "%s, partition %d, offset %d is no message of the contract: %s",
                    *record.place, record.offset, error,
                )  # fmt: skip
                bad.append(Unreadable(record.place, record.offset, str(error)))
                continue
            if found is not None:
                told.append(self._addressed(found))
        progress = {record.place: record.offset + 1 for record in records}
        self.counts["queued"] += self._outbox.record(told, bad, progress)
        self.counts["told"] += len(told)
        self.counts["unreadable"] += len(bad)
        return progress

    def _addressed(self, found: Announced) -> Told:
        contacts = (found.contacts or ()) if self._sends_mail else ()
        return Told(found.notice, recipients_of(found.notice, contacts, self._endpoints), found.time_zone)
