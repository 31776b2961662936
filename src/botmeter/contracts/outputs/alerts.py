"""Alerts: usage reached a threshold, or the allowance is used up."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from botmeter.contracts import described
from botmeter.contracts.fields import Count, Moment
from botmeter.contracts.message_model import AT, CYCLE_ENDS, CYCLE_STARTS, Example, WireModel, since
from botmeter.domain.commands import Plan


class AutoRecharge(WireModel):
    """The account's auto-recharge."""

    below: described.Below
    packs: described.RechargePacks


def _alert(version: int, percent: int, used: int) -> Example:
    return {
        "alert_id": f"acme/{version}",
        "account_id": "acme",
        "version": version,
        "at": AT,
        "percent": percent,
        "used": used,
        "total": 2000,
        "remaining": 2000 - used,
        "pool": "purchased",
        "cycle_number": 3,
        "cycle_ends_at": CYCLE_ENDS,
        "contacts": [
            "admin@acme.example",
            {"email": "ops@acme.example", "name": "Ops", "locale": "de-AT", "alerts": ["sessions_exhausted"]},
        ],
        "plan": "growth",
        "packs": 2,
        "time_zone": "America/New_York",
        "cycle_starts_at": CYCLE_STARTS,
        "cycle_elapsed_percent": 74.0,
        "auto_recharge": {"below": 500, "packs": 1},
    }


class _Alert(WireModel):
    type: str
    alert_id: Annotated[str, Field(description="Identifies the alert: the same alert written again has the same id.")]
    account_id: described.AccountId
    version: described.Version
    at: described.At
    percent: Annotated[
        int, Field(ge=1, le=100, description="The threshold that usage reached, in percent; 100: all are used.")
    ]
    used: described.Used
    total: Annotated[described.Total, Field(ge=1)]
    remaining: described.Remaining
    pool: described.Pool
    cycle_number: described.CycleNumber
    cycle_ends_at: described.CycleEndsAt
    contacts: described.Contacts
    plan: Annotated[Plan | None, since("0.2.0", "The account's plan.")] = None
    packs: Annotated[Count | None, since("0.2.0", "Packs of this billing cycle; they renew with each cycle.")] = None
    time_zone: Annotated[
        str | None, since("0.2.0", "The account's IANA time zone, in which billing cycles are computed.")
    ] = None
    cycle_starts_at: Annotated[Moment | None, since("0.2.0", "When the billing cycle started, UTC.")] = None
    cycle_elapsed_percent: Annotated[
        float | None,
        Field(ge=0, le=100),
        since(
            "0.2.0",
            "How much of the billing cycle's time has passed, in percent, rounded down to one decimal. If percent is "
            "higher, the sessions run out before the cycle ends at this rate.",
        ),
    ] = None
    auto_recharge: Annotated[
        AutoRecharge | None,
        since("0.2.0", "What is bought by itself when sessions run low. null: nothing.", nullable=True),
    ] = None


class ThresholdReachedAlert(_Alert, example=_alert(42, 80, 1600)):
    """Usage came to `percent` of the allowance."""

    type: Literal["threshold_reached"]


class SessionsExhaustedAlert(_Alert, example=_alert(443, 100, 2000)):
    """The last session of the allowance is used; from now on chats go to the agents."""

    type: Literal["sessions_exhausted"]
