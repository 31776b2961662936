"""What became of a command, in words."""

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
    """A few words at the top of what they concern."""

    tone: Literal["ok", "amber", "red"]
    title: str
    text: str = ""
    href: str = ""
    link: str = ""


def told(command: IssuedMessage, result: Accepted | Rejected) -> Notice:
    """Done, or refused and why."""
    if isinstance(result, Rejected):
        return Notice("red", "Refused. Nothing was changed.", _REFUSED.get(result.reason, result.message))
    return Notice("ok", _done(command.model_dump()))


def not_answered() -> Notice:
    """Sent, and its result not there in time."""
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
    """The form holds something that is no command."""
    return Notice("red", "Not sent. Nothing was changed.", why)


def _done(asked: dict[str, Any]) -> str:
    match asked["type"]:
        case "purchase_packs":
            return f"{some(asked['packs'], 'pack')} bought. The sessions are there now."
        case "reduce_packs":
            return f"{some(asked['packs'], 'pack')} fewer from the next cycle on."
        case "cancel_reduction":
            return "Undone. The packs of this cycle renew."
        case "change_plan":
            return f"Moved to the {PLANS[asked['plan']]} plan."
        case "change_billing_cycle":
            return f"From the next cycle on it is a {CYCLES[asked['billing_cycle']]}."
        case "credit_sessions":
            return f"{some(asked['sessions'], 'session')} credited."
        case "set_thresholds":
            return "Alerts saved."
        case "set_auto_recharge":
            return f"Auto-recharge is on, below {count(asked['below'])}." if asked["packs"] else "Auto-recharge is off."
        case "set_contacts":
            return "Contacts saved."
        case "close_account":
            return "The account is closed."
        case _:
            return "Done."
