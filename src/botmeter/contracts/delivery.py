"""The notifier's reports: one message for each change of a delivery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DeliveryChannel = Literal["email", "webhook"]
#: `maybe_twice`: sent, perhaps twice.
DeliveryState = Literal["sent", "maybe_twice", "retrying", "failed"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of an alert to one recipient, after `attempts`; `reason` is why it is not sent, or None."""

    delivery_id: str
    account_id: str
    at: int
    alert_id: str
    channel: DeliveryChannel
    #: Masked: recognisable, but not usable as an address.
    recipient: str
    state: DeliveryState
    attempts: int
    reason: str | None
