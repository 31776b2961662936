"""When the sessions will be used up at the pace of this billing cycle so far. Pure."""

from __future__ import annotations

#: A forecast from less than this part of a cycle, or of the sessions, would be a guess.
_LEAST_PERCENT = 10


def runs_out_at(*, used: int, total: int, starts_at: int, ends_at: int, at: int) -> int | None:
    """The moment the last session is used at the cycle's average pace; None when the cycle ends before it.

    All moments are UTC ms. The pace counts all usage since the cycle's start; when sessions were bought is irrelevant.
    """
    elapsed_ms = at - starts_at
    if used <= 0 or used >= total or elapsed_ms <= 0:
        return None
    moment = starts_at + -(-elapsed_ms * total // used)  # rounded up: not before it happens
    return moment if moment < ends_at else None


def is_founded(*, used: int, total: int, starts_at: int, ends_at: int, at: int) -> bool:
    """Whether enough of the cycle has passed, and enough sessions were used, to send a warning."""
    has_passed = (at - starts_at) * 100 >= _LEAST_PERCENT * (ends_at - starts_at)
    return has_passed and used * 100 >= _LEAST_PERCENT * total
