"""Interactions and commands, made from plain values and validated by the contract's own models.

Each function returns a message that is ready to send; ids that are left out are generated. A caller that may send the
same message twice, such as after a restart, should set the id: the same id again changes nothing (`S6`, `C1`).

    >>> from botmeter.client import purchase_packs
    >>> purchase_packs("acme", packs=2, issued_by="crm", command_id="order-17").packs
    2
    >>> purchase_packs("acme", packs=0, issued_by="crm")
    Traceback (most recent call last):
    botmeter.client.errors.InvalidMessage: packs: Input should be greater than or equal to 1
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from botmeter.client.errors import InvalidMessage
from botmeter.contracts import inputs
from botmeter.contracts.decoding import explained
from botmeter.contracts.inputs import InteractionMessage, IssuedMessage
from botmeter.domain.commands import Plan
from botmeter.domain.cycles import BillingCycle
from botmeter.domain.sessions import Actor, Widget

Message = TypeVar("Message", bound=BaseModel)

_ANY_COMMAND: Final[TypeAdapter[IssuedMessage]] = TypeAdapter(inputs.CommandMessage)


def interaction(
    account_id: str,
    *,
    end_user_id: str,
    conversation_id: str,
    bot_id: str | None,
    widget: Widget = "conversations",
    actor: Actor = "end_user",
    preview: bool = False,
    occurred_at: datetime | None = None,
    event_id: str | None = None,
) -> InteractionMessage:
    """One message or click; `occurred_at` must have a UTC offset, and defaults to now. Raises InvalidMessage."""
    return _validated(
        InteractionMessage,
        event_id=event_id or new_id(),
        account_id=account_id,
        end_user_id=end_user_id,
        bot_id=bot_id,
        conversation_id=conversation_id,
        widget=widget,
        actor=actor,
        preview=preview,
        occurred_at=_as_text(occurred_at or datetime.now(UTC)),
    )


def open_account(
    account_id: str,
    *,
    plan: Plan,
    issued_by: str,
    billing_cycle: BillingCycle = "monthly",
    anchor: datetime | None = None,
    time_zone: str = "UTC",
    contacts: Sequence[Any] = (),
    command_id: str | None = None,
) -> inputs.OpenAccountMessage:
    """Opens an account; cycles are counted from `anchor`, by default the moment of opening. Raises InvalidMessage."""
    own = {"plan": plan, "billing_cycle": billing_cycle, "time_zone": time_zone, "contacts": list(contacts)}
    moment = {} if anchor is None else {"anchor": _as_text(anchor)}
    return _command(inputs.OpenAccountMessage, "open_account", account_id, issued_by, command_id, **own, **moment)


def change_plan(
    account_id: str, *, plan: Plan, issued_by: str, command_id: str | None = None
) -> inputs.ChangePlanMessage:
    """Moves the account to another plan (`A1`, `A2`). Raises InvalidMessage."""
    return _command(inputs.ChangePlanMessage, "change_plan", account_id, issued_by, command_id, plan=plan)


def purchase_packs(
    account_id: str, *, packs: int, issued_by: str, command_id: str | None = None
) -> inputs.PurchasePacksMessage:
    """Buys packs for this billing cycle and those that follow (`A5`). Raises InvalidMessage."""
    return _command(inputs.PurchasePacksMessage, "purchase_packs", account_id, issued_by, command_id, packs=packs)


def reduce_packs(
    account_id: str, *, packs: int, issued_by: str, command_id: str | None = None
) -> inputs.ReducePacksMessage:
    """Removes packs from the next billing cycle on (`A7`). Raises InvalidMessage."""
    return _command(inputs.ReducePacksMessage, "reduce_packs", account_id, issued_by, command_id, packs=packs)


def cancel_reduction(
    account_id: str, *, issued_by: str, command_id: str | None = None
) -> inputs.CancelReductionMessage:
    """Cancels a reduction that has not taken effect yet (`A7`). Raises InvalidMessage."""
    return _command(inputs.CancelReductionMessage, "cancel_reduction", account_id, issued_by, command_id)


def change_billing_cycle(
    account_id: str, *, billing_cycle: BillingCycle, issued_by: str, command_id: str | None = None
) -> inputs.ChangeBillingCycleMessage:
    """Changes the length of the billing cycle from the next boundary on (`A9`). Raises InvalidMessage."""
    model = inputs.ChangeBillingCycleMessage
    return _command(model, "change_billing_cycle", account_id, issued_by, command_id, billing_cycle=billing_cycle)


def credit_sessions(
    account_id: str, *, sessions: int, reason: str, issued_by: str, command_id: str | None = None
) -> inputs.CreditSessionsMessage:
    """Credits sessions as goodwill (`A10`). Raises InvalidMessage."""
    model = inputs.CreditSessionsMessage
    own = {"sessions": sessions, "reason": reason}
    return _command(model, "credit_sessions", account_id, issued_by, command_id, **own)


def set_thresholds(
    account_id: str, *, percents: Sequence[int], issued_by: str, command_id: str | None = None
) -> inputs.SetThresholdsMessage:
    """Sets the percentages of usage to alert at, 1 to 99 (`T1`). Raises InvalidMessage."""
    model = inputs.SetThresholdsMessage
    return _command(model, "set_thresholds", account_id, issued_by, command_id, percents=list(percents))


def set_auto_recharge(
    account_id: str, *, below: int, packs: int, issued_by: str, command_id: str | None = None
) -> inputs.SetAutoRechargeMessage:
    """Buys `packs` when fewer than `below` sessions remain; 0 packs switch it off (`A11`). Raises InvalidMessage."""
    model = inputs.SetAutoRechargeMessage
    return _command(model, "set_auto_recharge", account_id, issued_by, command_id, below=below, packs=packs)


def set_contacts(
    account_id: str, *, contacts: Sequence[Any], issued_by: str, command_id: str | None = None
) -> inputs.SetContactsMessage:
    """Sets who gets alerts from now on. Raises InvalidMessage."""
    model = inputs.SetContactsMessage
    return _command(model, "set_contacts", account_id, issued_by, command_id, contacts=list(contacts))


def close_account(account_id: str, *, issued_by: str, command_id: str | None = None) -> inputs.CloseAccountMessage:
    """Closes the account for good (`C4`). Raises InvalidMessage."""
    return _command(inputs.CloseAccountMessage, "close_account", account_id, issued_by, command_id)


def as_interaction(fields: Mapping[str, Any]) -> InteractionMessage:
    """The interaction with these fields, named as on the wire. Raises InvalidMessage."""
    return _validated(InteractionMessage, **fields)


def as_command(fields: Mapping[str, Any]) -> IssuedMessage:
    """The command with these fields, named as on the wire; its `type` says which. Raises InvalidMessage."""
    try:
        return _ANY_COMMAND.validate_python(fields)
    except ValidationError as error:
        raise InvalidMessage(explained(error)) from None


def new_id() -> str:
    """A new random id."""
    return uuid.uuid4().hex


def _command(
    model: type[Message], type_: str, account_id: str, issued_by: str, command_id: str | None, **own: Any
) -> Message:
    named = {"type": type_, "command_id": command_id or new_id(), "account_id": account_id, "issued_by": issued_by}
    return _validated(model, **named, **own)


def _validated(model: type[Message], **fields: Any) -> Message:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise InvalidMessage(explained(error)) from None


def _as_text(moment: datetime) -> str:
    """The moment as the models read it. Raises InvalidMessage without a UTC offset: the time zone would be a guess."""
    if moment.tzinfo is None:
        raise InvalidMessage(f"{moment.isoformat()} has no offset; say datetime.now(UTC), or give it a time zone")
    return moment.isoformat()
