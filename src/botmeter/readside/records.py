"""Decodes the records of the journal and of the deliveries. A record that cannot be read stops the projection."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from botmeter.contracts.catalogue import DELIVERIES, JOURNAL
from botmeter.contracts.delivery import Delivery
from botmeter.domain.events import Event
from botmeter.errors import InvariantViolated

#: The fields that every event has; the others are its detail.
_HEAD: Final = ("type", "account_id", "version", "at", "cause")
_as_object: Final = msgspec.json.Decoder(dict[str, Any]).decode
_as_json: Final = msgspec.json.Encoder().encode


def read_event(value: bytes | None) -> Event:
    """Returns the event of a journal record. Raises ValueError: a newer botmeter or another program wrote it."""
    return JOURNAL.decode(value)


def read_delivery(value: bytes | None, partition: int, offset: int) -> Delivery:
    """The delivery in a record of the deliveries. Raises InvariantViolated."""
    try:
        return DELIVERIES.decode(value)
    except ValueError as error:
        raise InvariantViolated(f"deliveries, partition {partition}, offset {offset}: {error}") from error


def detail_of(event: Event) -> str:
    """The event's own fields as JSON, in the journal's encoding."""
    detail = _as_object(JOURNAL.encode(event))
    for name in _HEAD:
        del detail[name]
    return _as_json(detail).decode()
