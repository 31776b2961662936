"""What botmeter cannot take is kept, with the reason, for a person to look at."""

from __future__ import annotations

from typing import Final

from botmeter.contracts.cloudevents import cut_for_dead_letter, dead_letter_headers
from botmeter.domain.metering import Outcome
from botmeter.engine.records import Output, Record
from botmeter.errors import PoisonRecord

#: Values above this are cut: a dead letter with its headers must fit the topic.
VALUE_MAX_BYTES: Final = 1_048_576

#: Interactions that could be read but do not count, in words.
REFUSED: Final[dict[Outcome, str]] = {
    "in_future": "occurred_at lies further ahead of the broker's time than the limit allows",
    "too_late": "occurred_at lies further behind the broker's time than the limit allows",
    "unknown_account": "no account of this id was ever opened",
    "account_closed": "the account is closed",
}


def dead_letter(topic: str, record: Record, poison: PoisonRecord) -> Output:
    """The record as it came, with the reason in its headers."""
    value, is_cut = cut_for_dead_letter(record.value(), VALUE_MAX_BYTES)
    headers = dead_letter_headers(
        record.headers(),
        reason=poison.reason,
        message=str(poison),
        key=record.key(),
        topic=record.topic(),
        partition=record.partition(),
        offset=record.offset(),
        at=record.timestamp()[1],
        is_truncated=is_cut,
    )
    return Output(topic, record.key(), value, headers)
