"""Webhooks by the Standard Webhooks specification: signed, with an id that stays the same through all attempts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Final

import httpx
from standardwebhooks import Webhook

from botmeter.contracts.instants import rfc3339
from botmeter.notify.notices import Notice
from botmeter.notify.outcomes import Accepted, NotAccepted, Outcome, Refused, Unanswered
from botmeter.telemetry.trace_context import TRACEPARENT

#: By this status the endpoint says that it is gone and wants no further attempt.
_GONE: Final = 410
#: The longest pause that an endpoint's Retry-After is granted.
_RETRY_AFTER_MAX_S: Final = 3_600
_NOT_CONNECTED: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class WebhookSender:
    """Calls endpoints; for one thread."""

    def __init__(self, secrets: Mapping[str, Sequence[str]], timeout_s: float) -> None:
        """`secrets` by endpoint; a call is signed with all secrets of its endpoint, so that they can be rotated."""
        self._signers = {url: [Webhook(secret) for secret in of_url] for url, of_url in secrets.items()}
        self._client = httpx.Client(
            timeout=timeout_s, follow_redirects=False, headers={"user-agent": f"botmeter/{version('botmeter')}"}
        )

    def send(self, notice: Notice, url: str, before_call: Callable[[], None]) -> Outcome:
        """One attempt. If `before_call` raises, nothing is sent and the exception propagates."""
        signers = self._signers.get(url)
        if signers is None:
            return Refused("the endpoint is no longer among BOTMETER_NOTIFY_WEBHOOKS")
        body = payload(notice)
        headers = {"content-type": "application/json", **signed(signers, notice.notice_id, body, datetime.now(UTC))}
        if notice.traceparent is not None:
            headers[TRACEPARENT] = notice.traceparent
        before_call()
        try:
            answer = self._client.post(url, content=body.encode(), headers=headers)
        except _NOT_CONNECTED as fault:
            return NotAccepted(f"cannot reach the endpoint: {_describe(fault)}")
        except httpx.HTTPError as fault:
            return Unanswered(f"no answer: {_describe(fault)}", is_deduplicated=True)
        return _outcome_of(answer)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def payload(notice: Notice) -> str:
    """The body of the call: type, time and data, as the specification recommends; the data as in the topic."""
    data = json.loads(notice.body)
    content = {"type": f"botmeter.{notice.kind}", "timestamp": rfc3339(notice.at_ms), "data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def signed(signers: Sequence[Webhook], id_: str, body: str, at: datetime) -> dict[str, str]:
    """The three headers of the specification. `at` is the attempt's time, so that an old call cannot be replayed."""
    signatures = [signer.sign(id_, at, body) for signer in signers]
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _outcome_of(answer: httpx.Response) -> Outcome:
    status = f"{answer.status_code} {answer.reason_phrase}".strip()
    if answer.is_success:
        return Accepted(status)
    if answer.status_code == _GONE:
        return Refused(status)
    return NotAccepted(status, _retry_after_ms(answer.headers.get("retry-after", "")))


def _retry_after_ms(text: str) -> int:
    """The pause in ms that the endpoint requests, in seconds or as a date; 0 when it names none."""
    if text.isdigit():
        seconds = float(text)
    else:
        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return 0
    return int(1000 * max(0.0, min(seconds, _RETRY_AFTER_MAX_S)))


def _describe(fault: Exception) -> str:
    return str(fault) or type(fault).__name__
