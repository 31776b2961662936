"""What the notifier tells of its work: one message for each change of a delivery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DeliveryChannel = Literal["email", "webhook"]
#: `maybe_twice`: sent, but whether it was sent once or twice cannot be known.
DeliveryState = Literal["sent", "maybe_twice", "retrying", "failed"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """An alert's way to one recipient, after `attempts`; `reason` says why it is not sent, else None."""

    delivery_id: str
    account_id: str
    at: int
    alert_id: str
    channel: DeliveryChannel
    #: Masked: enough to recognise, too little to write to.
    recipient: str
    state: DeliveryState
    attempts: int
    reason: str | None
