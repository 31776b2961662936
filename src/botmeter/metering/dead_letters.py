"""Dead letters: records that botmeter cannot process, kept with the reason for an operator to inspect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

from botmeter.contracts.cloudevents import cut_for_dead_letter, dead_letter_headers
from botmeter.domain.metering import Outcome
from botmeter.errors import PoisonRecord
from botmeter.metering.records import Header, Output, Record, headers_of

#: A dead letter must fit its topic (4 MiB) uncompressed; a record that arrives compressed may be far larger than that.
RECORD_MAX_BYTES: Final = 3_500_000
#: Values and keys above these are cut.
VALUE_MAX_BYTES: Final = 1_048_576
KEY_MAX_BYTES: Final = 1_048_576
#: Kafka's encoding of the lengths of a header's name and value.
_HEADER_OVERHEAD_BYTES: Final = 10

#: The message for each outcome of an interaction that was decoded but refused.
REFUSED: Final[dict[Outcome, str]] = {
    "in_future": "occurred_at lies further ahead of the broker's time than the limit allows",
    "too_late": "occurred_at lies further behind the broker's time than the limit allows",
    "unknown_account": "no account of this id was ever opened",
    "account_closed": "the account is closed",
}

#: All reasons of dead letters.
REASONS: Final = ("malformed", "invalid", "too_large", "wrong_key", "wrong_partition", *REFUSED, "skipped")
#: What an operator does about each reason.
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
    "skipped": "an operator skipped it, its message says why: fix the cause, then redrive it",
}


#: The records that operators skip: topic and offset, with the reason. Their timestamps do not count.
Skipped = Mapping[tuple[str, int], str]


def split_at_skipped(records: Sequence[Record], skipped: Skipped) -> Iterator[tuple[Sequence[Record], Record | None]]:
    """Yields the runs of records between skipped ones, each with the skipped record after it, None after the last."""
    begin = 0
    if skipped:
        for place, record in enumerate(records):
            if (record.topic(), record.offset()) in skipped:
                yield records[begin:place], record
                begin = place + 1
    yield records[begin:] if begin else records, None


def dead_letter(topic: str, record: Record, poison: PoisonRecord) -> Output:
    """Returns the record unchanged, with the reason in its headers; cuts key, value or headers that are too large."""
    value, is_value_cut = cut_for_dead_letter(record.value(), VALUE_MAX_BYTES)
    key, is_key_cut = cut_for_dead_letter(record.key(), KEY_MAX_BYTES)
    original = headers_of(record)
    kept = _first_that_fit(original, RECORD_MAX_BYTES - len(value or b"") - len(key or b""))
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


def _first_that_fit(headers: Sequence[Header], limit_bytes: int) -> list[Header]:
    """Returns the first headers that together fit into `limit_bytes`."""
    sizes = accumulate(len(name.encode()) + len(value or b"") + _HEADER_OVERHEAD_BYTES for name, value in headers)
    return [header for header, size in zip(headers, sizes, strict=True) if size <= limit_bytes]
