"""Deliveries: what the notifier did about an alert."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from botmeter.contracts import described
from botmeter.contracts.delivery import DeliveryChannel, DeliveryState
from botmeter.contracts.fields import Count, Id, Moment
from botmeter.contracts.message_model import AT, WireModel


class DeliveryMessage(
    WireModel,
    example={
        "delivery_id": "6f1ed002ab5595859014ebf0951522d9",
        "account_id": "acme",
        "at": AT,
        "alert_id": "acme/42",
        "channel": "email",
        "recipient": "a***@acme.example",
        "state": "sent",
        "attempts": 1,
        "reason": None,
    },
):
    """The state of the delivery of an alert to one recipient; the latest message of a `delivery_id` counts."""

    type: Literal["delivery"]
    delivery_id: Annotated[Id, Field(description="Identifies the delivery: one alert on one channel to one recipient.")]
    account_id: described.AccountId
    at: Annotated[
        Moment,
        Field(description="When it reached this state, UTC, by the notifier's clock. Orders a delivery's messages."),
    ]
    alert_id: Annotated[str, Field(description="The id of the alert.")]
    channel: Annotated[DeliveryChannel, Field(description="How it is sent.")]
    recipient: Annotated[str, Field(description="The address or URL, masked.")]
    state: Annotated[
        DeliveryState,
        Field(
            description="sent: the recipient's server accepted it. maybe_twice: accepted, perhaps twice. retrying: not "
            "yet accepted, more attempts follow. failed: given up."
        ),
    ]
    attempts: Annotated[Count, Field(description="How many attempts were made.")]
    reason: Annotated[str | None, Field(description="Why it is not sent, for people. null: it is.")]
