"""The commands that administrators issue during a day, beside opening accounts."""

from __future__ import annotations

from random import Random
from typing import Final

#: The rules accept or refuse them, depending on the account; the last one is invalid, and is answered as such.
_COMMANDS: Final[tuple[dict[str, object], ...]] = (
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

#: A command that cannot be answered.
UNREADABLE: Final = b'{"type":"purchase_packs","packs":1'


def random_command(random: Random) -> dict[str, object]:
    """Returns the fields of a command, including its `type`."""
    return random.choice(_COMMANDS)
