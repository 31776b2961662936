"""What botmeter cannot take is kept, with the reason, for a person to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

from botmeter.contracts.cloudevents import cut_for_dead_letter, dead_letter_headers
from botmeter.domain.metering import Outcome
from botmeter.errors import PoisonRecord
from botmeter.metering.records import Header, Output, Record, headers_of

#: A dead letter must fit its topic (4 MiB) as it is: compressed, a record can arrive that is far larger than its own.
RECORD_MAX_BYTES: Final = 3_500_000
#: Values and keys above these are cut.
VALUE_MAX_BYTES: Final = 1_048_576
KEY_MAX_BYTES: Final = 1_048_576
#: Lengths of name and value, as Kafka writes them.
_HEADER_OVERHEAD_BYTES: Final = 10

#: Interactions that could be read but do not count, in words.
REFUSED: Final[dict[Outcome, str]] = {
    "in_future": "occurred_at lies further ahead of the broker's time than the limit allows",
    "too_late": "occurred_at lies further behind the broker's time than the limit allows",
    "unknown_account": "no account of this id was ever opened",
    "account_closed": "the account is closed",
}

#: Every reason there is.
REASONS: Final = ("malformed", "invalid", "too_large", "wrong_key", "wrong_partition", *REFUSED, "skipped")
#: What is to be done about each.
REMEDIES: Final[dict[str, str]] = {
    "malformed": "the sender writes something that is no JSON object; look at one with --payload",
    "invalid": "a field is missing or wrong; the message of each says which",
    "too_large": "the sender's records are larger than 1 MiB",
    "wrong_key": "the sender has to set the record's key to its account_id",
    "wrong_partition": "set the sender's partitioner to murmur2_random (librdkafka's default is another)",
    "in_future": "the sender's clock is ahead; or raise BOTMETER_AHEAD_LIMIT_S",
    "too_late": "the sender was late or its clock is behind; or raise BOTMETER_LATE_LIMIT_S",
    "unknown_account": "open the account: botmeter account open",
    "account_closed": "the account is closed; its chats should not reach the bots",
    "skipped": "a person skipped it, its message says why: mend the cause, then send it back",
}


#: Records that people skip, by topic and offset, each with why. Their own time is not looked at.
Skipped = Mapping[tuple[str, int], str]


def around_skipped(records: Sequence[Record], skipped: Skipped) -> Iterator[tuple[Sequence[Record], Record | None]]:
    """The runs between records that are skipped, each with the one that follows it; hardly ever there is any."""
    begin = 0
    if skipped:
        for place, record in enumerate(records):
            if (record.topic(), record.offset()) in skipped:
                yield records[begin:place], record
                begin = place + 1
    yield records[begin:] if begin else records, None


def dead_letter(topic: str, record: Record, poison: PoisonRecord) -> Output:
    """The record as it came, with the reason in its headers; what does not fit is cut and marked."""
    value, is_value_cut = cut_for_dead_letter(record.value(), VALUE_MAX_BYTES)
    key, is_key_cut = cut_for_dead_letter(record.key(), KEY_MAX_BYTES)
    original = headers_of(record)
    kept = _fitting(original, RECORD_MAX_BYTES - len(value or b"") - len(key or b""))
    headers = dead_letter_headers(
        kept,
        reason=poison.reason,
        message=str(poison),
        subject=key if poison.account_id is None else poison.account_id.encode(),
        topic=record.topic(),
        partition=record.partition(),
        offset=record.offset(),
        at=record.timestamp()[1],
        is_truncated=is_value_cut or is_key_cut or len(kept) < len(original),
    )
    return Output(topic, key, value, headers)


def _fitting(headers: Sequence[Header], limit_bytes: int) -> list[Header]:
    """The first headers, as many as fit together."""
    sizes = accumulate(len(name.encode()) + len(value or b"") + _HEADER_OVERHEAD_BYTES for name, value in headers)
    return [header for header, size in zip(headers, sizes, strict=True) if size <= limit_bytes]
