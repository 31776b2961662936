"""What administrators ask for in the course of a day, beside opening accounts."""

from __future__ import annotations

from random import Random
from typing import Final

#: Accepted or refused by the rules, as it happens; the last is invalid, and answered as such.
_WISHES: Final[tuple[dict[str, object], ...]] = (
    {"type": "credit_sessions", "sessions": 25, "reason": "goodwill"},
    {"type": "purchase_packs", "packs": 1},
    {"type": "reduce_packs", "packs": 1},
    {"type": "cancel_reduction"},
    {"type": "set_thresholds", "percents": [50, 80, 95]},
    {"type": "set_contacts", "contacts": ["billing@customer.example", "admin@customer.example"]},
    {"type": "change_billing_cycle", "billing_cycle": "quarterly"},
    {"type": "change_plan", "plan": "enterprise"},
    {"type": "set_auto_recharge", "below": 0, "packs": 0},
    {"type": "purchase_packs", "packs": 0},
)

#: A command that nobody can answer.
UNREADABLE: Final = b'{"type":"purchase_packs","packs":1'


def wish(random: Random) -> dict[str, object]:
    """The fields of a command, its `type` among them."""
    return random.choice(_WISHES)
