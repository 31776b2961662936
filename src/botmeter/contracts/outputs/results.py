"""The answers to commands."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from botmeter.contracts import described
from botmeter.contracts.message_model import AT, Charge, WireModel, since
from botmeter.domain.commands import Refusal


class Accepted(
    WireModel,
    example={
        "command_id": "k-2",
        "account_id": "acme",
        "version": 7,
        "at": AT,
        "charge": {"amount_minor": 20_000, "currency": "USD"},
    },
):
    """The command was executed. The same command again gets the same answer, and is not executed again."""

    type: Literal["accepted"]
    command_id: described.CommandId
    account_id: described.AccountId
    version: described.Version
    at: described.At
    charge: Annotated[
        Charge | None,
        since(
            "0.2.0",
            "What the command cost. A repeated command gets the same value, and is not charged again. null: nothing.",
            nullable=True,
        ),
    ] = None


class Rejected(
    WireModel,
    example={
        "command_id": "k-3",
        "account_id": "acme",
        "at": AT,
        "reason": "reduces_below_zero",
        "message": "the next cycle has 1 packs, 2 cannot be taken away",
    },
):
    """The command changed nothing. The same command again gets the same answer."""

    type: Literal["rejected"]
    command_id: described.CommandId
    account_id: described.AccountId
    at: described.At
    reason: Annotated[Refusal, Field(description="For programs; more reasons may be added.")]
    message: Annotated[str, Field(description="For people.")]
