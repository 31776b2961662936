"""When the next attempt is made. Pure."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

_JITTER_PERCENT = 20


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long and how often a delivery is tried; all times in ms."""

    retry_ms: int
    retry_max_ms: int
    give_up_ms: int
    repeat_ms: int
    repeats_max: int
    claim_ms: int


def pause_ms(policy: RetryPolicy, attempts: int, delivery_id: str) -> int:
    """The pause after the `attempts`-th attempt: doubled each time up to the maximum, plus up to 20 % jitter.

    The jitter is derived from the id, so that deliveries that failed together are not retried together.
    """
    doubled = policy.retry_ms << min(attempts - 1, 30)
    plain = min(doubled, policy.retry_max_ms)
    return plain + plain * (zlib.crc32(f"{delivery_id}/{attempts}".encode()) % (_JITTER_PERCENT + 1)) // 100
