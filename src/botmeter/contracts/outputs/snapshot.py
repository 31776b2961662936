"""Snapshots: internal. Only their existence is part of the contract."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from botmeter.contracts import described
from botmeter.contracts.fields import Count
from botmeter.contracts.message_model import WireModel


class Snapshot(
    WireModel,
    example={
        "account_id": "acme",
        "version": 42,
        "journal_offset": 1018,
        "account": {"account_id": "acme", "version": 42, "status": "active"},
    },
):
    """Internal: the state of an account, so that a worker can restore it without reading its whole journal."""

    type: Literal["snapshot"]
    account_id: described.AccountId
    version: described.Version
    journal_offset: Annotated[
        Count, Field(description="The snapshot includes the account's events before this offset of the journal.")
    ]
    account: Annotated[dict[str, Any], Field(description="The state; its shape may change with any release.")]
