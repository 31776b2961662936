"""A cycle in sessions and money."""

from __future__ import annotations

from dataclasses import dataclass

from botmeter.readside.results.history import ChargeRow
from botmeter.readside.results.origin import CycleSpan, Freshness, Money
from botmeter.readside.results.usage import Step


@dataclass(frozen=True, slots=True)
class Statement:
    """A cycle in sessions and money.

    opening + renewed + granted + purchased + credited - sessions - forfeited - expired = remaining: what is left of the
    running cycle now. `closing` is what an ended cycle left to the next, None while it runs.

    `late_sessions` of `sessions` came after the cycle's end and were taken from what would have expired (`A13`).
    """

    account_id: str
    cycle: CycleSpan
    is_current: bool
    opening: int
    renewed: int
    granted: int
    purchased: int
    credited: int
    sessions: int
    late_sessions: int
    previews: int
    forfeited: int
    expired: int
    remaining: int
    closing: int | None
    handoffs: int
    charge: Money | None
    charges: tuple[ChargeRow, ...]
    steps: tuple[Step, ...]
    freshness: Freshness

    @property
    def available(self) -> int:
        """All sessions the cycle had to use, including those that packs replaced."""
        return self.opening + self.renewed + self.granted + self.purchased + self.credited
