"""From the records of the two topics to what they say. What cannot be read stops the projection."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from botmeter.contracts.catalogue import DELIVERIES, JOURNAL
from botmeter.contracts.delivery import Delivery
from botmeter.domain.events import Event
from botmeter.errors import InvariantViolated

#: What every event has; the rest is its detail.
_HEAD: Final = ("type", "account_id", "version", "at", "cause")
_as_object: Final = msgspec.json.Decoder(dict[str, Any]).decode
_as_json: Final = msgspec.json.Encoder().encode


def read_event(value: bytes | None, partition: int, offset: int) -> Event:
    """The event in a record of the journal. Raises InvariantViolated: a newer botmeter may have written it."""
    try:
        return JOURNAL.decode(value)
    except ValueError as error:
        raise InvariantViolated(f"journal, partition {partition}, offset {offset}: {error}") from error


def read_delivery(value: bytes | None, partition: int, offset: int) -> Delivery:
    """The delivery in a record of the deliveries. Raises InvariantViolated."""
    try:
        return DELIVERIES.decode(value)
    except ValueError as error:
        raise InvariantViolated(f"deliveries, partition {partition}, offset {offset}: {error}") from error


def detail_of(event: Event) -> str:
    """The event's own fields, as JSON, as the journal has them."""
    found = _as_object(JOURNAL.encode(event))
    for name in _HEAD:
        del found[name]
    return _as_json(found).decode()
