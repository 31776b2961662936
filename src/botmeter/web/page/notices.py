"""Notices about the result of a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from botmeter.contracts.inputs import IssuedMessage
from botmeter.domain.announcements import Accepted, Rejected
from botmeter.web.page.numbers import count, some
from botmeter.web.page.timeline import CYCLES, PLANS

_REFUSED: Final = {
    "reduces_below_zero": "The next cycle has fewer packs than that. Somebody may have reduced them meanwhile.",
    "no_pending_reduction": "There is no reduction to undo any more. The packs stand as shown.",
    "account_closed": "The account is closed. Nothing can be changed any more.",
    "unknown_account": "The account is not known to the meter.",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """A short message at the top of the part it is about."""

    tone: Literal["ok", "amber", "red"]
    title: str
    text: str = ""
    href: str = ""
    link: str = ""


def result_notice(command: IssuedMessage, result: Accepted | Rejected) -> Notice:
    """The command was accepted, or rejected and why."""
    if isinstance(result, Rejected):
        return Notice("red", "Refused. Nothing was changed.", _REFUSED.get(result.reason, result.message))
    return Notice("ok", _done(command.model_dump()))


def not_answered() -> Notice:
    """The command was sent, but its result did not arrive in time."""
    return Notice(
        "amber",
        "Sent, not answered yet.",
        "It takes effect as soon as the meter reads it, and shows here then. Sending it again does no harm.",
    )


def not_sent() -> Notice:
    """Kafka could not be reached."""
    return Notice(
        "red",
        "Not sent. Nothing was changed.",
        "The system that takes orders cannot be reached. Try again in a minute.",
    )


def not_valid(why: str) -> Notice:
    """The form does not contain a valid command."""
    return Notice("red", "Not sent. Nothing was changed.", why)


def _done(command: dict[str, Any]) -> str:
    match command["type"]:
        case "purchase_packs":
            return f"{some(command['packs'], 'pack')} bought. The sessions are there now."
        case "reduce_packs":
            return f"{some(command['packs'], 'pack')} fewer from the next cycle on."
        case "cancel_reduction":
            return "Undone. The packs of this cycle renew."
        case "change_plan":
            return f"Moved to the {PLANS[command['plan']]} plan."
        case "change_billing_cycle":
            return f"From the next cycle on it is a {CYCLES[command['billing_cycle']]}."
        case "credit_sessions":
            return f"{some(command['sessions'], 'session')} credited."
        case "set_thresholds":
            return "Alerts saved."
        case "set_auto_recharge":
            return (
                f"Auto-recharge is on, below {count(command['below'])}."
                if command["packs"]
                else "Auto-recharge is off."
            )
        case "set_contacts":
            return "Contacts saved."
        case "close_account":
            return "The account is closed."
        case _:
            return "Done."
