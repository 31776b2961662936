"""Webhooks by the specification: signed, the same id through all attempts, and each answer taken for what it says."""

from __future__ import annotations

import base64
import json
import re
import socket
from pathlib import Path
from typing import Any, Final

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from botmeter.notify.outcomes import Accepted, NotAccepted, Outcome, Refused, Unanswered
from botmeter.notify.webhooks import WebhookSender

from .endpoint import Endpoint
from .notices import notice

OLD: Final = "whsec_" + base64.b64encode(b"o" * 24).decode()
NEW: Final = "whsec_" + base64.b64encode(b"n" * 24).decode()


def call(endpoint: Endpoint, *secrets: str) -> Outcome:
    sender = WebhookSender({endpoint.url: secrets or (NEW,)}, timeout_s=30.0)
    try:
        return sender.send(notice(), endpoint.url, lambda: None)
    finally:
        sender.close()


def test_a_receiver_verifies_the_call_with_the_specifications_library() -> None:
    with Endpoint() as endpoint:
        assert call(endpoint) == Accepted("204 No Content")
        [received] = endpoint.calls

    content = Webhook(NEW).verify(received.body, received.headers)
    assert content["type"] == "botmeter.threshold_reached"
    assert content["timestamp"] == "2025-11-15T12:00:00.000Z"
    assert content["data"]["used"] == 2400
    assert "contacts" not in content["data"]
    headers = {name.lower(): value for name, value in received.headers.items()}
    assert headers["webhook-id"] == "alert/northwind/41"
    assert headers["content-type"] == "application/json"


def test_a_changed_body_or_another_secret_is_found_out() -> None:
    with Endpoint() as endpoint:
        call(endpoint)
        [received] = endpoint.calls

    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(received.body.replace(b"2400", b"2401"), received.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(received.body, received.headers)


def test_while_a_secret_is_replaced_either_verifies() -> None:
    with Endpoint() as endpoint:
        call(endpoint, OLD, NEW)
        [received] = endpoint.calls

    assert Webhook(OLD).verify(received.body, received.headers) == json.loads(received.body)
    assert Webhook(NEW).verify(received.body, received.headers) == json.loads(received.body)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Accepted("200 OK")),
        (202, Accepted("202 Accepted")),
        (301, NotAccepted("301 Moved Permanently", 0)),
        (400, NotAccepted("400 Bad Request", 0)),
        (410, Refused("410 Gone")),
        (500, NotAccepted("500 Internal Server Error", 0)),
    ],
)
def test_each_status_is_taken_for_what_it_says(status: int, expected: Outcome) -> None:
    with Endpoint(status) as endpoint:
        assert call(endpoint) == expected


@pytest.mark.parametrize(("said", "ms"), [("7", 7_000), ("999999", 3_600_000), ("soon", 0), ("-1", 0)])
def test_an_endpoint_may_ask_for_patience(said: str, ms: int) -> None:
    with Endpoint(503, headers={"Retry-After": said}) as endpoint:
        assert call(endpoint) == NotAccepted("503 Service Unavailable", ms)


def test_without_an_answer_nobody_knows_and_a_repetition_does_no_harm() -> None:
    with Endpoint(0) as endpoint:
        outcome = call(endpoint)

        assert isinstance(outcome, Unanswered)
        assert outcome.is_deduplicated


def test_an_endpoint_that_is_not_there_was_not_called() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/hook"
        sender = WebhookSender({url: [NEW]}, timeout_s=30.0)

        assert isinstance(sender.send(notice(), url, lambda: None), NotAccepted)
        sender.close()


def test_an_endpoint_that_was_taken_from_the_settings_is_not_called() -> None:
    sender = WebhookSender({}, timeout_s=30.0)

    assert isinstance(sender.send(notice(), "https://old.example", lambda: None), Refused)
    sender.close()


def test_the_receiver_in_the_documentation_takes_a_call_once() -> None:
    page = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
    sample = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert sample is not None
    secret = re.search(r"whsec_[A-Za-z0-9+/=]{20,}", sample[1])
    assert secret is not None
    program: dict[str, Any] = {}
    exec(sample[1], program)  # noqa: S102 - it is ours
    had: set[str] = set()
    with Endpoint() as endpoint:
        call(endpoint, secret[0])
        [received] = endpoint.calls
    headers = {name.lower(): value for name, value in received.headers.items()}
    for _ in range(2):
        program["receive"](received.body, headers, had)

    assert had == {"alert/northwind/41"}
    with pytest.raises(WebhookVerificationError):
        program["receive"](received.body + b" ", headers, had)
