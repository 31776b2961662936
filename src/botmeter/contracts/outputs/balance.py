"""Balances: the current state of an account."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from botmeter.contracts import described
from botmeter.contracts.message_model import AT, CYCLE_ENDS, CYCLE_STARTS, WireModel


class BillingCycleOfBalance(WireModel):
    """The billing cycle that the balance is of, up to but not including `ends_at`."""

    number: described.CycleNumber
    billing_cycle: described.BillingCycle
    starts_at: described.CycleStartsAt
    ends_at: described.CycleEndsAt


class Balance(
    WireModel,
    example={
        "account_id": "acme",
        "version": 42,
        "at": AT,
        "status": "active",
        "plan": "growth",
        "pool": "purchased",
        "total": 2000,
        "used": 1600,
        "remaining": 400,
        "used_percent": 80.0,
        "packs": 2,
        "packs_next_cycle": 1,
        "cycle": {"number": 3, "billing_cycle": "monthly", "starts_at": CYCLE_STARTS, "ends_at": CYCLE_ENDS},
    },
):
    """An account's balance; the one with the highest version counts."""

    type: Literal["balance"]
    account_id: described.AccountId
    version: described.Version
    at: described.At
    status: described.Status
    plan: described.Plan
    pool: described.Pool
    total: described.Total
    used: described.Used
    remaining: described.Remaining
    used_percent: Annotated[
        float,
        Field(ge=0, le=100, description="Used of total in percent, rounded down to one decimal; 0 when total is 0."),
    ]
    packs: described.Packs
    packs_next_cycle: described.PacksNextCycle
    cycle: Annotated[BillingCycleOfBalance, Field(description="The present billing cycle.")]
