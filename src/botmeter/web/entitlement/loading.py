"""Loads the view at the start: the accounts from the snapshots; the journal is then read from where they end."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from threading import Event as Flag
from typing import Final

from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from botmeter.contracts.encoding import decode_snapshot
from botmeter.contracts.topics import Topics
from botmeter.domain.prices import HOUR_MS
from botmeter.kafka import questions
from botmeter.kafka.reader import committed_records
from botmeter.web.entitlement.view import WINDOWS_KEPT_MS, PartitionView

log = logging.getLogger(__name__)

#: Journal records carry the times of their events, which may be slightly out of order.
_MARGIN_MS: Final = HOUR_MS


@dataclass(frozen=True, slots=True)
class Start:
    """The offset from which the journal of a partition is read, and its end offset at the start."""

    offset: int
    end: int


def load(admin: AdminClient, reader: Consumer, topics: Topics, view: PartitionView, stop: Flag) -> Start:
    """Puts the accounts of the snapshots into an empty view, and returns where to start reading the journal.

    Raises RestoreStopped, ClusterError, Retriable; ValueError for a snapshot that cannot be read.
    """
    number, journal, snapshots = view.partition, topics.journal.name, topics.snapshots.name
    snapshots_end = questions.end_offsets(admin, snapshots, [number])[number]
    floor = begin = questions.begin_offsets(admin, journal, [number])[number]
    with closing(committed_records(reader, snapshots, number, 0, snapshots_end, stop)) as chunks:
        for message in chain.from_iterable(chunks):
            value = message.value()
            if value is None:
                continue
            account, journal_offset = decode_snapshot(value)
            view.put_account(account)
            floor = max(floor, journal_offset)
    end = questions.end_offsets(admin, journal, [number])[number]
    if floor > end:
        log.warning("partition %d: the snapshots are ahead of the journal; they are ignored", number)
        view.accounts.clear()
        floor = begin
    since = int(time.time() * 1000) - WINDOWS_KEPT_MS - _MARGIN_MS
    start = min(floor, questions.offsets_at(admin, journal, [number], since)[number])
    view.position = start
    return Start(start, end)
