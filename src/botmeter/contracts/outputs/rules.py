"""The rules in force and their changes: what decides, kept for as long as the journal."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from botmeter.contracts.fields import Count, Moment, Percent, Positive
from botmeter.contracts.message_model import AT, WireModel
from botmeter.domain.prices import Exhaustion


class RulesInForce(WireModel):
    """All settings that decisions depend on."""

    pack_sessions: Annotated[Positive, Field(description="Sessions in a pack.")]
    pack_price_minor: Annotated[Count, Field(description="Price of a pack for one billing cycle, in minor units.")]
    currency: Annotated[str, Field(description="ISO 4217, such as USD.")]
    complimentary_sessions: Annotated[Count, Field(description="Sessions an account gets once, on any plan but free.")]
    ahead_limit_ms: Annotated[
        Count, Field(description="How far an interaction may be ahead of the broker's timestamp, in milliseconds.")
    ]
    late_limit_ms: Annotated[
        Count, Field(description="How far an interaction may be behind the broker's timestamp, in milliseconds.")
    ]
    exhaustion: Annotated[
        Exhaustion, Field(description="What goes to agents while an account is exhausted; values may be added.")
    ]
    default_thresholds: Annotated[
        list[Percent], Field(description="Percentages that alert, ascending, of accounts that set none of their own.")
    ]


class PartitionTaken(WireModel):
    """Where one partition stood."""

    partition: Annotated[Count, Field(description="The partition, of all topics.")]
    interactions: Annotated[Count, Field(description="Interactions below this offset followed the rules before.")]
    commands: Annotated[Count, Field(description="Commands below this offset followed the rules before.")]
    journal: Annotated[Count, Field(description="Events below this offset of the journal followed the rules before.")]


class RulesSet(
    WireModel,
    example={
        "number": 2,
        "at": AT,
        "by": "jane",
        "reason": "outage of 22 November",
        "rules": {
            "pack_sessions": 1000,
            "pack_price_minor": 10_000,
            "currency": "USD",
            "complimentary_sessions": 500,
            "ahead_limit_ms": 300_000,
            "late_limit_ms": 259_200_000,
            "exhaustion": "new_sessions",
            "default_thresholds": [80],
        },
        "taken": [{"partition": 0, "interactions": 18, "commands": 6, "journal": 44}],
    },
):
    """From here on these rules are in force, until the next of these messages."""

    type: Literal["rules_set"]
    number: Annotated[Positive, Field(description="1, 2, 3, ...: the order of these messages.")]
    at: Annotated[Moment, Field(description="When they were recorded, UTC, by the clock of who did; informative.")]
    by: Annotated[str, Field(description="Who set them: a person, or the worker that started first.")]
    reason: Annotated[str | None, Field(description="Why. null: nobody said.")]
    rules: Annotated[RulesInForce, Field(description="The rules.")]
    taken: Annotated[
        list[PartitionTaken],
        Field(
            description="Where each partition stood, in the order of their numbers: what lies before followed the "
            "rules before. Empty in the first message, whose rules hold from the beginning."
        ),
    ]
