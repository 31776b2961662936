"""From a balance to the warning that the sessions will not last; once an account and cycle."""

from __future__ import annotations

from typing import Any

from botmeter.contracts.codec import to_json
from botmeter.contracts.instants import rfc3339
from botmeter.domain.announcements import Balance
from botmeter.domain.prices import DAY_MS
from botmeter.notify.forecast import is_founded, runs_out_at
from botmeter.notify.notices import Notice


def projected_id(balance: Balance) -> str:
    """Names the warning: there is one in a cycle, whichever balance it came of."""
    return f"projected/{balance.account_id}/{balance.cycle.number}"


def projected(balance: Balance, time_zone: str) -> Notice | None:
    """The warning, if there is ground for one: the sessions end a day or more before the cycle."""
    if balance.status != "active" or balance.pool != "purchased":
        return None
    cycle = balance.cycle
    pace: dict[str, int] = {
        "used": balance.used,
        "total": balance.total,
        "starts_at": cycle.starts_at,
        "ends_at": cycle.ends_at,
        "at": balance.at,
    }
    moment = runs_out_at(**pace) if is_founded(**pace) else None
    if moment is None or cycle.ends_at - moment < DAY_MS:
        return None
    return Notice(projected_id(balance), "projected", balance.account_id, balance.at, _body(balance, moment, time_zone))


def _body(balance: Balance, moment: int, time_zone: str) -> str:
    """As an alert would say it."""
    cycle = balance.cycle
    elapsed = (balance.at - cycle.starts_at) * 1000 // (cycle.ends_at - cycle.starts_at) / 10
    message: dict[str, Any] = {
        "type": "projected",
        "alert_id": projected_id(balance),
        "account_id": balance.account_id,
        "version": balance.version,
        "at": rfc3339(balance.at),
        "percent": int(balance.used_percent),
        "used": balance.used,
        "total": balance.total,
        "remaining": balance.remaining,
        "pool": balance.pool,
        "plan": balance.plan,
        "packs": balance.packs,
        "cycle_number": cycle.number,
        "cycle_starts_at": rfc3339(cycle.starts_at),
        "cycle_ends_at": rfc3339(cycle.ends_at),
        "cycle_elapsed_percent": elapsed,
        "runs_out_at": rfc3339(moment),
        "time_zone": time_zone,
    }
    return to_json(message).decode()
