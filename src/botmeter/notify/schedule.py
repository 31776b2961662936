"""When the next attempt is made; pure."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

_JITTER_PERCENT = 20


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often a delivery is tried; all times in ms."""

    retry_ms: int
    retry_max_ms: int
    give_up_ms: int
    repeat_ms: int
    repeats_max: int
    claim_ms: int


def pause_ms(patience: Patience, attempts: int, delivery_id: str) -> int:
    """The pause after the `attempts`-th attempt: doubled each time up to the longest, and up to a fifth longer.

    The extra part is made of the id, so that deliveries that failed together do not come back together.
    """
    doubled = patience.retry_ms << min(attempts - 1, 30)
    plain = min(doubled, patience.retry_max_ms)
    return plain + plain * (zlib.crc32(f"{delivery_id}/{attempts}".encode()) % (_JITTER_PERCENT + 1)) // 100
