"""From the fields of a form to a command: text becomes numbers and lists; the contract's own models judge them."""

from __future__ import annotations

from typing import Any, Final

from starlette.datastructures import FormData

from botmeter.client import InvalidMessage, as_command
from botmeter.contracts.inputs import IssuedMessage
from botmeter.web.page.contacts import contacts_from
from botmeter.web.page.settings_page import percents_in

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
#: The commands that the page has a form for.
COMMANDS: Final = frozenset({*_NUMBERS, *_TEXTS, "cancel_reduction", "set_thresholds", "set_contacts", "close_account"})


def command_of(type_: str, account_id: str, issued_by: str, form: FormData) -> IssuedMessage:
    """The command that a form asks for. Raises InvalidMessage, in words for a person."""
    if type_ == "close_account" and form.get("confirm") != account_id:
        raise InvalidMessage("The id that was typed is not this account's.")
    told: dict[str, Any] = {
        "type": type_,
        "account_id": account_id,
        "issued_by": issued_by,
        "command_id": str(form.get("command_id", "")),
    }
    told |= {name: _number(form, name) for name in _NUMBERS.get(type_, ())}
    told |= {name: str(form.get(name, "")) for name in _TEXTS.get(type_, ())}
    if type_ == "set_thresholds":
        told["percents"] = percents_in(str(form.get("percents", "")))
    if type_ == "set_contacts":
        told["contacts"] = contacts_from(form)
    if type_ == "set_auto_recharge" and form.get("off"):
        told["packs"] = 0
    return as_command(told)


def _number(form: FormData, name: str) -> int:
    text = str(form.get(name, "")).strip()
    if not text.isascii() or not text.isdigit():
        raise InvalidMessage(f"{name}: a whole number is needed.")
    return int(text[:12])
