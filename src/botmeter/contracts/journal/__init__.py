"""The messages of the journal: one for each event, told apart by `type`, with the cause last.

What an event means is said in `botmeter.domain.events`; here is what others may rely on.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from botmeter.contracts.journal.account import (
    AccountClosed,
    AccountOpened,
    AutoRechargeSet,
    BillingCycleChangeScheduled,
    CommandHandled,
    ContactsSet,
    PlanChanged,
    ThresholdsSet,
)
from botmeter.contracts.journal.allowance import (
    ComplimentaryForfeited,
    ComplimentaryGranted,
    CycleStarted,
    PackReductionCancelled,
    PackReductionScheduled,
    PacksPurchased,
    SessionsCredited,
)
from botmeter.contracts.journal.usage import (
    ChatHandedOff,
    SessionsAvailable,
    SessionsExhausted,
    SessionStarted,
    ThresholdReached,
)
from botmeter.contracts.message_model import members

JournalMessage = Annotated[
    AccountOpened
    | PlanChanged
    | ComplimentaryGranted
    | ComplimentaryForfeited
    | PacksPurchased
    | PackReductionScheduled
    | PackReductionCancelled
    | CycleStarted
    | BillingCycleChangeScheduled
    | SessionsCredited
    | ThresholdsSet
    | AutoRechargeSet
    | ContactsSet
    | SessionStarted
    | ThresholdReached
    | SessionsExhausted
    | SessionsAvailable
    | ChatHandedOff
    | AccountClosed
    | CommandHandled,
    Field(discriminator="type"),
]

#: Every event's model, in the contract's order.
JOURNAL: Final = members(JournalMessage)
