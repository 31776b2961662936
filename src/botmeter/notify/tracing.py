"""The notifier's spans: one for each notice that is stored in the outbox, and one for each delivery attempt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from botmeter.kafka.subscription import Received
from botmeter.notify.channels import Channel
from botmeter.notify.intake import IntakeResult, NoticeIntake
from botmeter.notify.outbox import Claim
from botmeter.notify.outcomes import Accepted, Outcome
from botmeter.telemetry.trace_context import Processed, TraceContext, read_traceparent

if TYPE_CHECKING:
    from botmeter.telemetry.spans import Spans

_PORTS: Final = {"http": 80, "https": 443}


class TracedIntake:
    """An intake with a span for each record that became a notice, which ends when the outbox has stored it."""

    def __init__(self, intake: NoticeIntake, spans: Spans, group: str, clock_ms: Callable[[], int]) -> None:
        self._intake, self._spans, self._group, self._clock_ms = intake, spans, group, clock_ms

    def take(self, records: Sequence[Received]) -> IntakeResult:
        """Takes the records by the wrapped intake."""
        began_at = self._clock_ms()
        result = self._intake.take(records)
        ended_at = self._clock_ms()
        for record, addressed in result.addressed:
            if (context := _sampled(addressed.notice.traceparent)) is not None:
                self._spans.process(
                    Processed(
                        *record.place, record.offset, record.key, context, self._group, began_at, ended_at,
                        message_id=addressed.notice.notice_id,
                    )
                )  # fmt: skip
        return result


class TracedChannel:
    """A channel with a span for each attempt, whose context is sent on so that the recipient can continue the trace."""

    def __init__(self, channel: Channel, spans: Spans, mail_server: tuple[str, int]) -> None:
        self._channel, self._spans, self._mail_server = channel, spans, mail_server
        self.name, self.answer_within_ms = channel.name, channel.answer_within_ms

    def attempt(self, claim: Claim, before_the_point_of_no_return: Callable[[], None]) -> Outcome:
        """Makes the attempt by the wrapped channel."""
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
            traced = replace(claim, notice=replace(claim.notice, traceparent=span.traceparent))
            outcome = self._channel.attempt(traced, before_the_point_of_no_return)
            if not isinstance(outcome, Accepted):
                span.failed(type(outcome).__qualname__)
        return outcome

    def close(self) -> None:
        """Closes the wrapped channel."""
        self._channel.close()

    def _server_of(self, claim: Claim) -> tuple[str, int]:
        if self.name == "email":
            return self._mail_server
        url = urlsplit(claim.recipient.address)
        return url.hostname or "", url.port or _PORTS[url.scheme]


def _sampled(traceparent: str | None) -> TraceContext | None:
    """The trace context, if it is sampled."""
    context = read_traceparent(traceparent)
    return context if context is not None and context.is_sampled else None
