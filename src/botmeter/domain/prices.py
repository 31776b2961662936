"""Prices and limits: the settings that the rules depend on (`A1`, `A3`, `S7`, `S9`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

#: What happens to end-users with a paid session while the account is exhausted (`S9`).
Exhaustion = Literal["new_sessions", "all_chats"]


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents of USD)."""

    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Pack size and price per billing cycle (`A3`), complimentary sessions per account (`A1`)."""

    pack_sessions: int = 1000
    pack_price_minor: int = 10_000
    currency: str = "USD"
    complimentary_sessions: int = 500

    def charge(self, packs: int) -> Money:
        """Returns the price of `packs` packs for one billing cycle, never prorated (`A5`)."""
        return Money(packs * self.pack_price_minor, self.currency)


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """The pseudonyms of end-users (`S2`): `of` maps account and id to a pseudonym. Equal when the keys are equal."""

    key_id: str
    of: Callable[[str, str], str] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Rules:
    """All settings that a decision may depend on; the same rules and the same log give the same journal."""

    prices: PriceBook = field(default_factory=PriceBook)
    #: How far `occurred_at` may be ahead of the broker's timestamp (`S7`).
    ahead_limit_ms: int = 5 * MINUTE_MS
    #: How far `occurred_at` may be behind the broker's timestamp (`S7`).
    late_limit_ms: int = 48 * HOUR_MS
    exhaustion: Exhaustion = "new_sessions"
    default_thresholds: tuple[int, ...] = (80,)
    #: None: the journal holds end-users' ids of the chat platform.
    pseudonyms: Pseudonyms | None = None
