"""Spans by OpenTelemetry's messaging conventions, version 1.45. Imported only when tracing is on.

The parent of each span is the span that published the record, as its `traceparent` states. Outputs carry the header of
their interaction unchanged, so that they can be recomputed. So the spans of worker and notifier are siblings below the
publisher's span, in the order of time. docs/tracing.md has a table of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final

from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TracerProvider,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from botmeter.telemetry.trace_context import Processed, Sent, TraceContext, read_traceparent, write_traceparent

#: OpenTelemetry's own package of names lags behind. The names here are of this version, which each span states.
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.45.0"
_NS_IN_A_MS: Final = 1_000_000


class SendSpan:
    """The span of a record that is being sent to the brokers."""

    def __init__(self, span: Span) -> None:
        self._span = span
        #: The header that the record must carry.
        self.traceparent = _traceparent_of(span)

    def acknowledged(self, partition: int, offset: int) -> None:
        """Ends the span: the brokers have the record."""
        self._span.set_attributes({"messaging.destination.partition.id": str(partition), "kafka.offset": offset})
        self._span.end()

    def failed(self, error: str) -> None:
        """Ends the span as failed; `error` is the client's name of the error."""
        _fail(self._span, error)
        self._span.end()


class DeliverySpan:
    """The span of an attempt to notify one recipient."""

    def __init__(self, span: Span) -> None:
        self._span = span
        #: The header for a recipient that can continue the trace.
        self.traceparent = _traceparent_of(span)

    def failed(self, error: str) -> None:
        """Marks the attempt as failed: the notice did not arrive, or its arrival is unknown."""
        _fail(self._span, error)


class Spans:
    """Makes the spans of one process."""

    def __init__(self, provider: TracerProvider) -> None:
        #: Exports the spans; also passed to the SDK.
        self.provider = provider
        self._tracer = provider.get_tracer("botmeter", version("botmeter"), SCHEMA_URL)

    def send(self, sent: Sent, traceparent: str | None) -> SendSpan:
        """Starts the span of publishing a record: child of `traceparent`, else of the caller's own span, else a root.

        A span that is never ended, because the client's queue was full, is never exported.
        """
        context = read_traceparent(traceparent)
        parent = None if context is None else set_span_in_context(_remote(context))
        attributes = {
            **_operation("kafka", "send", sent.topic),
            "messaging.message.id": sent.message_id,
            "messaging.message.body.size": sent.body_bytes,
            "kafka.message.key": sent.key,
        }
        if sent.conversation_id is not None:
            attributes["messaging.message.conversation_id"] = sent.conversation_id
        return SendSpan(self._tracer.start_span(f"send {sent.topic}", parent, SpanKind.PRODUCER, attributes))

    def process(self, processed: Processed) -> None:
        """Makes the span of a processed record."""
        publisher = _remote(processed.context)
        span = self._tracer.start_span(
            f"process {processed.topic}",
            set_span_in_context(publisher),
            SpanKind.CONSUMER,
            _of_processed(processed),
            [Link(publisher.get_span_context())],
            processed.began_at * _NS_IN_A_MS,
        )
        if processed.error is not None:
            _fail(span, processed.error)
        span.end(max(processed.began_at, processed.ended_at) * _NS_IN_A_MS)

    @contextmanager
    def deliver(
        self, channel: str, context: TraceContext, attributes: Mapping[str, str | int]
    ) -> Iterator[DeliverySpan]:
        """The span of an attempt by the channel `email` or `webhook` lasts as long as the block; an error fails it."""
        span = self._tracer.start_span(
            f"send {channel}",
            set_span_in_context(_remote(context)),
            SpanKind.CLIENT,
            {**_operation(channel, "send", channel), **attributes},
        )
        try:
            yield DeliverySpan(span)
        except BaseException as error:
            _fail(span, type(error).__qualname__)
            raise
        finally:
            span.end()


def _operation(system: str, name: str, destination: str) -> dict[str, AttributeValue]:
    return {
        "messaging.system.name": system,
        "messaging.operation.name": name,
        "messaging.operation.type": name,
        "messaging.destination.name": destination,
    }


def _of_processed(processed: Processed) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {
        **_operation("kafka", "process", processed.topic),
        "messaging.destination.partition.id": str(processed.partition),
        "messaging.consumer.group.name": processed.group,
        "kafka.offset": processed.offset,
    }
    if processed.key is not None:
        found["kafka.message.key"] = processed.key.decode("utf-8", "replace")
    if processed.message_id is not None:
        found["messaging.message.id"] = processed.message_id
    if processed.events:
        found["botmeter.events"] = list(processed.events)
    return found


def _fail(span: Span, error: str) -> None:
    span.set_attribute("error.type", error)
    span.set_status(Status(StatusCode.ERROR))


def _remote(context: TraceContext) -> Span:
    return NonRecordingSpan(
        SpanContext(context.trace_id, context.span_id, is_remote=True, trace_flags=TraceFlags(context.flags))
    )


def _traceparent_of(span: Span) -> str | None:
    """Returns None when OpenTelemetry is switched off and makes no spans."""
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return write_traceparent(TraceContext(context.trace_id, context.span_id, context.trace_flags))
