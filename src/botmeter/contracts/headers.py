"""The headers of the records that botmeter writes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from botmeter.contracts.fields import Id, Moment
from botmeter.contracts.message_model import AT, WireModel

#: Why a record could not be processed.
DeadLetterReason = Literal[
    "malformed",
    "invalid",
    "too_large",
    "wrong_key",
    "wrong_partition",
    "in_future",
    "too_late",
    "unknown_account",
    "account_closed",
    "skipped",
]


class _CloudEvent(WireModel):
    model_config = ConfigDict(extra="allow")

    ce_specversion: Annotated[Literal["1.0"], Field(description="The version of CloudEvents.")]
    ce_id: Annotated[
        str,
        Field(
            min_length=1,
            description="The idempotency key: the same message, read or written again, has the same id, and no other "
            "message of any topic has it.",
        ),
    ]
    ce_source: Annotated[Literal["/botmeter"], Field(description="The program that wrote it.")]
    ce_type: Annotated[
        str,
        Field(pattern="^botmeter\\.[a-z_]+\\.v[0-9]+$", description="botmeter.<type>.v1, with the type of the value."),
    ]
    ce_time: Annotated[Moment, Field(description="When it took effect, UTC.")]


class OutputHeaders(_CloudEvent):
    """CloudEvents 1.0, Kafka binding, binary mode; every value is UTF-8 text."""

    ce_subject: Annotated[Id, Field(description="The account_id.")]
    content_type: Annotated[
        Literal["application/json"], Field(alias="content-type", description="The value is JSON in UTF-8.")
    ]
    traceparent: Annotated[
        str | None, Field(description="W3C trace context of the record that caused it. Missing: that record had none.")
    ] = None


class TraceHeaders(WireModel):
    """The headers of records without CloudEvents headers, whose value says everything."""

    traceparent: Annotated[
        str | None, Field(description="W3C trace context of the record that caused it. Missing: that record had none.")
    ] = None


class DeadLetterHeaders(
    _CloudEvent,
    example={
        "botmeter_reason": "too_late",
        "__streams.errors.message": "occurred_at lies further behind the broker's time than the limit allows",
        "__streams.errors.topic": "chat.interactions",
        "__streams.errors.partition": "0",
        "__streams.errors.offset": "17",
        "ce_specversion": "1.0",
        "ce_id": "dead-letter/chat.interactions/0/17",
        "ce_source": "/botmeter",
        "ce_type": "botmeter.dead_letter.v1",
        "ce_time": AT,
        "ce_subject": "acme",
        "content-type": "application/json",
    },
):
    """The original's headers come first, unchanged; where a name occurs twice, the last one counts."""

    ce_subject: Annotated[
        str | None,
        Field(description="The original's account_id, else its key. Missing: neither is a valid account_id."),
    ] = None
    content_type: Annotated[
        str,
        Field(
            alias="content-type",
            description="The original's content type; else JSON, or application/octet-stream if the value is no JSON.",
        ),
    ]
    botmeter_reason: Annotated[
        DeadLetterReason,
        Field(description="For programs; more reasons may be added."),
    ]
    error_message: Annotated[str, Field(alias="__streams.errors.message", description="For people.")]
    error_topic: Annotated[str, Field(alias="__streams.errors.topic", description="The topic of the original.")]
    error_partition: Annotated[
        str,
        Field(alias="__streams.errors.partition", pattern="^[0-9]+$", description="The partition of the original."),
    ]
    error_offset: Annotated[
        str, Field(alias="__streams.errors.offset", pattern="^[0-9]+$", description="The offset of the original.")
    ]
    botmeter_truncated: Annotated[
        Literal["true"] | None, Field(description="Present when the value was cut to the topic's limit.")
    ] = None
