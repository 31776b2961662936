"""The inbox of the demo's customers, as a mail server, an endpoint and a page."""

from __future__ import annotations

import json
import smtplib
from datetime import UTC, datetime
from email.message import EmailMessage

import httpx
import pytest
from standardwebhooks import Webhook

from botmeter.demo.inbox import SECRET, Inbox


def mail(subject: str, html: str) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "botmeter@x.example", "maya@x.example", subject
    made["X-Botmeter-Notice"] = "alert/acme/41"
    made.set_content("plain")
    made.add_alternative(html, subtype="html")
    return made


def page(url: str) -> str:
    answer = httpx.get(url, timeout=60)
    answer.raise_for_status()
    return answer.text


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    return httpx.post(url, content=body, headers=headers, timeout=60).status_code


def signed(body: str) -> dict[str, str]:
    now = datetime.now(UTC)
    signature = Webhook(SECRET).sign("alert/acme/41", now, body)
    stamp = str(int(now.timestamp()))
    return {"webhook-id": "alert/acme/41", "webhook-timestamp": stamp, "webhook-signature": signature}


def test_mails_and_webhooks_are_taken_and_shown() -> None:
    body = json.dumps({"type": "botmeter.threshold_reached", "data": {"account_id": "acme"}})
    with Inbox() as inbox:
        with smtplib.SMTP("127.0.0.1", inbox.smtp_port, timeout=60) as server:
            server.send_message(mail("80 % <b>used</b>", "<p>hello</p>"))
        assert post(inbox.endpoint, body.encode(), signed(body)) == 204
        arrivals = inbox.new()

        assert [(each.channel, each.notice_id) for each in arrivals] == [
            ("email", "alert/acme/41"),
            ("webhook", "alert/acme/41"),
        ]
        assert inbox.new() == []
        shown = page(inbox.url)
        assert "80 % &lt;b&gt;used&lt;/b&gt;" in shown
        assert "Mails: 1. Webhooks: 1." in shown
        assert page(f"{inbox.url}0").strip() == "<p>hello</p>"
        assert json.loads(page(f"{inbox.url}1")) == json.loads(body)


def test_a_call_without_our_signature_is_refused() -> None:
    with Inbox() as inbox:
        assert post(inbox.endpoint, b"{}", {}) == 401
        assert post(inbox.endpoint, b"{}", signed("{ }")) == 401
        assert inbox.new() == []
        with pytest.raises(httpx.HTTPStatusError, match="404"):
            page(f"{inbox.url}7")
