"""Checks whether a journal has accounts that no simulation opened: then the cluster is in real use."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Event as Flag
from typing import Final

from botmeter.contracts.topics import Topic
from botmeter.kafka import clients, questions
from botmeter.kafka.reader import committed_records
from botmeter.simulation.traffic import COMMAND_ID_PREFIX

#: Few records other than those that open an account contain this, so JSON is decoded for few.
_OPENED: Final = b'"account_opened"'
_REPORT_INTERVAL_S: Final = 5.0


def first_other_account(
    admin_config: clients.Config,
    reader_config: clients.Config,
    journal: Topic,
    partitions: int,
    report: Callable[[str], None],
) -> str | None:
    """Returns the id of an account in the journal that no simulation opened; None when there is none.

    Reads the journal up to that account, or all of it, and reports progress when that takes long. Raises ClusterError,
    Retriable.
    """
    numbers = range(partitions)
    with clients.make_admin(admin_config) as admin, clients.make_consumer(reader_config) as reader:
        begins = questions.begin_offsets(admin, journal.name, numbers)
        ends = questions.stable_offsets(admin, journal.name, numbers)
        reported_s, checked, total = time.monotonic(), 0, sum(ends.values()) - sum(begins.values())
        for number in numbers:
            with closing(
                committed_records(reader, journal.name, number, begins[number], ends[number], Flag())
            ) as chunks:
                for chunk in chunks:
                    for account_id in _opened_by_others(record.value() or b"" for record in chunk):
                        return account_id
                    checked += len(chunk)
                    if time.monotonic() - reported_s > _REPORT_INTERVAL_S:
                        reported_s = time.monotonic()
                        report(f"looking for other accounts in {journal.name}: {checked:,} of {total:,} records")
    return None


def _opened_by_others(values: Iterator[bytes]) -> Iterator[str]:
    for value in values:
        if _OPENED not in value:
            continue
        event = json.loads(value)
        opened_by = str(event.get("cause", {}).get("command_id", ""))
        if event.get("type") == "account_opened" and not opened_by.startswith(COMMAND_ID_PREFIX):
            yield event["account_id"]
