"""The warning that an account's sessions will not last, made from a balance; once per account and cycle."""

from __future__ import annotations

from typing import Any

from botmeter.contracts.codec import to_json
from botmeter.contracts.instants import rfc3339
from botmeter.domain.announcements import Balance
from botmeter.domain.prices import DAY_MS
from botmeter.notify.forecast import is_founded, runs_out_at
from botmeter.notify.notices import Notice


def projected_id(balance: Balance) -> str:
    """The id of the warning: the same for all balances of a cycle, so that it is sent once."""
    return f"projected/{balance.account_id}/{balance.cycle.number}"


def projected(balance: Balance, time_zone: str) -> Notice | None:
    """The warning, if the sessions will run out a day or more before the cycle ends; else None."""
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
    """The warning as a message with the fields of an alert."""
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
