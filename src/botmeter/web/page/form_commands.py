"""Turns the fields of a form into a command: text becomes numbers and lists; the contract's models validate them."""

from __future__ import annotations

from typing import Any, Final

from starlette.datastructures import FormData

from botmeter.client import InvalidMessage, as_command
from botmeter.contracts.inputs import IssuedMessage
from botmeter.web.page.contacts import contacts_from
from botmeter.web.page.settings_page import parse_percents

_NUMBERS: Final = {
    "purchase_packs": ("packs",),
    "reduce_packs": ("packs",),
    "credit_sessions": ("sessions",),
    "set_auto_recharge": ("below", "packs"),
}
_TEXTS: Final = {
    "change_plan": ("plan",),
    "change_billing_cycle": ("billing_cycle",),
    "credit_sessions": ("reason",),
}
#: The commands for which the page has a form.
COMMANDS: Final = frozenset({*_NUMBERS, *_TEXTS, "cancel_reduction", "set_thresholds", "set_contacts", "close_account"})


def command_of(type_: str, account_id: str, issued_by: str, form: FormData) -> IssuedMessage:
    """Returns the command of a form. Raises InvalidMessage, worded for a person."""
    if type_ == "close_account" and form.get("confirm") != account_id:
        raise InvalidMessage("The id that was typed is not this account's.")
    fields: dict[str, Any] = {
        "type": type_,
        "account_id": account_id,
        "issued_by": issued_by,
        "command_id": str(form.get("command_id", "")),
    }
    fields |= {name: _number(form, name) for name in _NUMBERS.get(type_, ())}
    fields |= {name: str(form.get(name, "")) for name in _TEXTS.get(type_, ())}
    if type_ == "set_thresholds":
        fields["percents"] = parse_percents(str(form.get("percents", "")))
    if type_ == "set_contacts":
        fields["contacts"] = contacts_from(form)
    if type_ == "set_auto_recharge" and form.get("off"):
        fields["packs"] = 0
    return as_command(fields)


def _number(form: FormData, name: str) -> int:
    text = str(form.get(name, "")).strip()
    if not text.isascii() or not text.isdigit():
        raise InvalidMessage(f"{name}: a whole number is needed.")
    return int(text[:12])
