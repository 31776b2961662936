"""Why a session was charged."""

from __future__ import annotations

from dataclasses import dataclass

from botmeter.readside.results.history import TimelineEntry
from botmeter.readside.results.origin import CycleSpan
from botmeter.readside.results.sessions import SessionRow


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a session was charged, and to what.

    `previous` is the end-user's session before it in the same mode, whose 24 hours do not cover it; `pack_number`
    counts from 1 within the cycle, None for complimentary and credited sessions. `led_to` are the other events that the
    same interaction caused: thresholds, a recharge, exhaustion.
    """

    session: SessionRow
    cycle: CycleSpan
    is_late: bool
    pack_number: int | None
    used_before: int
    used_after: int
    remaining_before: int
    remaining_after: int
    previous: SessionRow | None
    next: SessionRow | None
    led_to: tuple[TimelineEntry, ...]
