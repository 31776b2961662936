"""The client for programs that build on botmeter: publish interactions, send commands, read results and outputs.

It needs confluent-kafka, msgspec and pydantic, and imports neither worker nor web. `Client` blocks, `AsyncClient` is
awaited; both take messages made by `interaction(...)`, `purchase_packs(...)` and so on, or by `as_interaction` and
`as_command` from decoded JSON fields.

    >>> from botmeter.client import as_command
    >>> as_command({"type": "cancel_reduction", "command_id": "k-2", "account_id": "acme", "issued_by": "crm"})
    CancelReductionMessage(command_id='k-2', account_id='acme', issued_by='crm', type='cancel_reduction')

docs/building-on-botmeter.md is the guide.
"""

from botmeter.client.asynchronous import AsyncClient
from botmeter.client.blocking import Client
from botmeter.client.connection import Connection
from botmeter.client.decoding import Accepted, Alert, Balance, Handoff, Rejected, Result
from botmeter.client.errors import InvalidMessage, NoResult, NotDelivered, UnreadableRecord
from botmeter.client.messages import (
    as_command,
    as_interaction,
    cancel_reduction,
    change_billing_cycle,
    change_plan,
    close_account,
    credit_sessions,
    interaction,
    open_account,
    purchase_packs,
    reduce_packs,
    set_auto_recharge,
    set_contacts,
    set_thresholds,
)
from botmeter.client.seen import Seen, SeenInFile, SeenInMemory
from botmeter.client.sending import Place
from botmeter.client.subscription import Received, Subscription, alerts, balances, handoffs
from botmeter.client.table import BalanceTable
from botmeter.contracts.topics import Topics

__all__ = [
    "Accepted",
    "Alert",
    "AsyncClient",
    "Balance",
    "BalanceTable",
    "Client",
    "Connection",
    "Handoff",
    "InvalidMessage",
    "NoResult",
    "NotDelivered",
    "Place",
    "Received",
    "Rejected",
    "Result",
    "Seen",
    "SeenInFile",
    "SeenInMemory",
    "Subscription",
    "Topics",
    "UnreadableRecord",
    "alerts",
    "as_command",
    "as_interaction",
    "balances",
    "cancel_reduction",
    "change_billing_cycle",
    "change_plan",
    "close_account",
    "credit_sessions",
    "handoffs",
    "interaction",
    "open_account",
    "purchase_packs",
    "reduce_packs",
    "set_auto_recharge",
    "set_contacts",
    "set_thresholds",
]
