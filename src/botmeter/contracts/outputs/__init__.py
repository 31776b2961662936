"""The messages that botmeter writes beside the journal."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from botmeter.contracts.outputs.alerts import AutoRecharge, SessionsExhaustedAlert, ThresholdReachedAlert
from botmeter.contracts.outputs.balance import Balance, BillingCycleOfBalance
from botmeter.contracts.outputs.delivery import DeliveryMessage
from botmeter.contracts.outputs.handoffs import BotResumed, BotSuspended, ChatHandedOffMessage
from botmeter.contracts.outputs.results import Accepted, Rejected
from botmeter.contracts.outputs.rules import LossAccepted, OffsetsSet, RecordSkipped, RulesSet
from botmeter.contracts.outputs.snapshot import Snapshot

__all__ = [
    "Accepted",
    "AlertMessage",
    "AnswerMessage",
    "AutoRecharge",
    "Balance",
    "BillingCycleOfBalance",
    "BotResumed",
    "BotSuspended",
    "ChatHandedOffMessage",
    "DeliveryMessage",
    "HandoffMessage",
    "LossAccepted",
    "OffsetsSet",
    "RecordSkipped",
    "Rejected",
    "RulesMessage",
    "RulesSet",
    "SessionsExhaustedAlert",
    "Snapshot",
    "ThresholdReachedAlert",
]

AlertMessage = Annotated[ThresholdReachedAlert | SessionsExhaustedAlert, Field(discriminator="type")]
HandoffMessage = Annotated[ChatHandedOffMessage | BotSuspended | BotResumed, Field(discriminator="type")]
AnswerMessage = Annotated[Accepted | Rejected, Field(discriminator="type")]
RulesMessage = Annotated[RulesSet | RecordSkipped | OffsetsSet | LossAccepted, Field(discriminator="type")]
