"""The digest of a statement: equal statements have the same digest, wherever they were made. Pure.

It is the SHA-256 of a JSON object with its keys in order and without spaces: `account_id`, `cycle`, `starts_at` and
`ends_at` (UTC ms), the sums named in SUMS, and `charges`, in the order of the journal, each as
`[at, version, packs, amount_minor, currency]`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Final

from botmeter.domain.prices import Money

#: The counts of a statement.
SUMS: Final = (
    "opening",
    "renewed",
    "granted",
    "purchased",
    "credited",
    "sessions",
    "late_sessions",
    "previews",
    "forfeited",
    "expired",
    "remaining",
    "handoffs",
)
#: A charge: when (UTC ms), the version of its event in the journal, packs, money.
Charge = tuple[int, int, int, Money]


def statement_digest(
    account_id: str, cycle: int, span: tuple[int, int], sums: Mapping[str, int], charges: Iterable[Charge]
) -> str:
    """The digest as 64 hexadecimal digits."""
    content = {
        "account_id": account_id,
        "cycle": cycle,
        "starts_at": span[0],
        "ends_at": span[1],
        **{name: sums[name] for name in SUMS},
        "charges": [
            [at, version, packs, charge.amount_minor, charge.currency]
            for at, version, packs, charge in sorted(charges, key=lambda one: one[1])
        ],
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
