"""Spans of what the notifier does: of each alert that is kept to be told, and of each attempt to tell somebody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from botmeter.kafka.subscription import Received
from botmeter.notify.channels import Channel
from botmeter.notify.intake import Taken, Takes
from botmeter.notify.outbox import Claim
from botmeter.notify.outcomes import Accepted, Outcome
from botmeter.telemetry.trace_context import Processed, TraceContext, read_traceparent

if TYPE_CHECKING:
    from botmeter.telemetry.spans import Spans

_PORTS: Final = {"http": 80, "https": 443}


class TracedIntake:
    """An intake with a span of each record that was told of: until it was in the outbox, with where to read on."""

    def __init__(self, intake: Takes, spans: Spans, group: str, clock_ms: Callable[[], int]) -> None:
        self._intake, self._spans, self._group, self._clock_ms = intake, spans, group, clock_ms

    def take(self, records: Sequence[Received]) -> Taken:
        """As the intake does."""
        began_at = self._clock_ms()
        taken = self._intake.take(records)
        ended_at = self._clock_ms()
        for record, told in taken.told:
            if (context := _sampled(told.notice.traceparent)) is not None:
                self._spans.process(
                    Processed(
                        *record.place, record.offset, record.key, context, self._group, began_at, ended_at,
                        message_id=told.notice.notice_id,
                    )
                )  # fmt: skip
        return taken


class TracedChannel:
    """A channel with a span of each attempt, which the recipient can go on from."""

    def __init__(self, channel: Channel, spans: Spans, mail_server: tuple[str, int]) -> None:
        self._channel, self._spans, self._mail_server = channel, spans, mail_server
        self.name, self.answer_within_ms = channel.name, channel.answer_within_ms

    def attempt(self, claim: Claim, before_the_point_of_no_return: Callable[[], None]) -> Outcome:
        """As the channel does."""
        context = _sampled(claim.notice.traceparent)
        if context is None:
            return self._channel.attempt(claim, before_the_point_of_no_return)
        host, port = self._server_of(claim)
        attributes: dict[str, str | int] = {
            "messaging.message.id": claim.delivery_id,
            "server.address": host,
            "server.port": port,
            "botmeter.notice.id": claim.notice.notice_id,
            "botmeter.delivery.attempt": claim.attempt,
        }
        with self._spans.deliver(self.name, context, attributes) as span:
            told = replace(claim, notice=replace(claim.notice, traceparent=span.traceparent))
            outcome = self._channel.attempt(told, before_the_point_of_no_return)
            if not isinstance(outcome, Accepted):
                span.failed(type(outcome).__qualname__)
        return outcome

    def close(self) -> None:
        """As the channel does."""
        self._channel.close()

    def _server_of(self, claim: Claim) -> tuple[str, int]:
        if self.name == "email":
            return self._mail_server
        url = urlsplit(claim.recipient.address)
        return url.hostname or "", url.port or _PORTS[url.scheme]


def _sampled(traceparent: str | None) -> TraceContext | None:
    """The trace, if it asks for spans."""
    context = read_traceparent(traceparent)
    return context if context is not None and context.is_sampled else None
