"""The rules in force and their changes, and the rescues of partitions: kept for as long as the journal."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from botmeter.contracts.fields import Count, Moment, Percent, Positive
from botmeter.contracts.message_model import AT, WireModel
from botmeter.domain.prices import Exhaustion

_NUMBER = "1, 2, 3, ...: the order of all messages of the topic."
_AT = "When it was recorded, UTC, by the clock of the recording process; informative."


class RulesInForce(WireModel):
    """All settings that decisions depend on."""

    pack_sessions: Annotated[Positive, Field(description="Sessions in a pack.")]
    pack_price_minor: Annotated[Count, Field(description="Price of a pack for one billing cycle, in minor units.")]
    currency: Annotated[str, Field(description="ISO 4217, such as USD.")]
    complimentary_sessions: Annotated[
        Count, Field(description="Sessions that an account gets once, on any plan but free.")
    ]
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
        list[Percent],
        Field(description="Percentages that alert, ascending, for accounts without their own thresholds."),
    ]
    pseudonym_key: Annotated[
        str | None,
        Field(
            description="Id of the key of the end-users' pseudonyms in the journal and everything derived from it. "
            "null: end-users are stored by their ids."
        ),
    ] = None


class PartitionTaken(WireModel):
    """The offsets of one partition."""

    partition: Annotated[Count, Field(description="The partition, of all topics.")]
    interactions: Annotated[Count, Field(description="Interactions below this offset followed the previous rules.")]
    commands: Annotated[Count, Field(description="Commands below this offset followed the previous rules.")]
    journal: Annotated[Count, Field(description="Events below this offset of the journal followed the previous rules.")]


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
            "pseudonym_key": None,
        },
        "taken": [{"partition": 0, "interactions": 18, "commands": 6, "journal": 44}],
    },
):
    """From here on these rules are in force, until the next of these messages."""

    type: Literal["rules_set"]
    number: Annotated[Positive, Field(description=_NUMBER)]
    at: Annotated[Moment, Field(description=_AT)]
    by: Annotated[str, Field(description="Who set them: a person, or the worker that started first.")]
    reason: Annotated[str | None, Field(description="Why. null: not given.")]
    rules: Annotated[RulesInForce, Field(description="The rules.")]
    taken: Annotated[
        list[PartitionTaken],
        Field(
            description="The offsets of each partition, in the order of their numbers: records below them followed the "
            "previous rules. Empty in the first message, whose rules apply from the beginning."
        ),
    ]


class RecordSkipped(
    WireModel,
    example={
        "number": 3,
        "at": AT,
        "by": "jane",
        "why": "a bug, mended in the next release",
        "partition": 0,
        "topic": "chat.interactions",
        "offset": 17,
    },
):
    """A record that could not be processed: it becomes a dead letter with the reason skipped."""

    type: Literal["record_skipped"]
    number: Annotated[Positive, Field(description=_NUMBER)]
    at: Annotated[Moment, Field(description=_AT)]
    by: Annotated[str, Field(description="Who skipped it.")]
    why: Annotated[str, Field(description="Why.")]
    partition: Annotated[Count, Field(description="Its partition.")]
    topic: Annotated[str, Field(description="Its topic, one of the inputs.")]
    offset: Annotated[Count, Field(description="Its offset.")]


class OffsetsSet(
    WireModel,
    example={
        "number": 4,
        "at": AT,
        "by": "jane",
        "why": "the brokers forgot them",
        "partition": 0,
        "interactions": 18,
        "commands": 6,
        "lost": 0,
    },
):
    """The inputs of a partition are read from these offsets on."""

    type: Literal["offsets_set"]
    number: Annotated[Positive, Field(description=_NUMBER)]
    at: Annotated[Moment, Field(description=_AT)]
    by: Annotated[str, Field(description="Who set them.")]
    why: Annotated[str, Field(description="Why.")]
    partition: Annotated[Count, Field(description="The partition, of both inputs.")]
    interactions: Annotated[Count, Field(description="The first interaction to process.")]
    commands: Annotated[Count, Field(description="The first command to process.")]
    lost: Annotated[Count, Field(description="How many offsets below them were deleted before they were processed.")]


class OutputEnd(WireModel):
    """Where the partition of one output ended."""

    topic: Annotated[str, Field(description="The output.")]
    topic_id: Annotated[str, Field(description="Kafka's id of the topic; a recreated topic has another.")]
    offset: Annotated[Count, Field(description="Records written after the loss have this offset or a higher one.")]


class LossAccepted(
    WireModel,
    example={
        "number": 5,
        "at": AT,
        "by": "jane",
        "why": "the disk is gone, and there is no backup",
        "partition": 0,
        "interactions": 18,
        "commands": 6,
        "ends": [{"topic": "botmeter.journal", "topic_id": "jUT2pxnoTTGvYOBtPOEeSA", "offset": 44}],
    },
):
    """A partition starts again with the events that its journal has; an operator accepts the gaps before its end."""

    type: Literal["loss_accepted"]
    number: Annotated[Positive, Field(description=_NUMBER)]
    at: Annotated[Moment, Field(description=_AT)]
    by: Annotated[str, Field(description="Who accepted it.")]
    why: Annotated[str, Field(description="Why.")]
    partition: Annotated[Count, Field(description="The partition, of all topics.")]
    interactions: Annotated[Count, Field(description="The first interaction to process.")]
    commands: Annotated[Count, Field(description="The first command to process.")]
    ends: Annotated[list[OutputEnd], Field(description="Where each output ended, in the order of the topics.")]
