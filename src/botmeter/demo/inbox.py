"""The demo's customers: a mailbox, an endpoint for webhooks, and a page that shows both.

The page also has a short link to the billing page, because a login link is longer than a terminal is wide.
"""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType, TracebackType
from typing import Final, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from standardwebhooks import Webhook, WebhookVerificationError

from botmeter.embedded.ports import free_ports

#: A constant will do: only this machine reaches the endpoint, and only while the demo runs.
SECRET: Final = "whsec_Ym90bWV0ZXIgZGVtbyBlbmRwb2ludA=="  # noqa: S105
_KEPT_MAX: Final = 1_000
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color-scheme:light dark}"
    "table{width:100%;border-collapse:collapse}td{padding:.3rem .6rem .3rem 0;border-top:1px solid #8884;"
    "vertical-align:top}time{opacity:.7;font-variant-numeric:tabular-nums}"
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail or a call of the endpoint. `notice_id` is the alert's `ce_id`; `at` is in UTC ms."""

    channel: str
    at: int
    notice_id: str
    recipient: str
    subject: str
    content: str


class Inbox:
    """Receives mails and calls while its block runs."""

    def __init__(self) -> None:
        self.smtp_port, self._http_port = free_ports(2)
        self._lock = threading.Lock()
        self._new: list[Arrival] = []
        self._kept: list[Arrival] = []
        self._login_link = ""
        self._smtp = Controller(_Mailbox(self._store), hostname="127.0.0.1", port=self.smtp_port)
        self._http = ThreadingHTTPServer(("127.0.0.1", self._http_port), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, name="inbox", daemon=True)

    @property
    def url(self) -> str:
        """The address of the page that shows mails and calls."""
        return f"http://127.0.0.1:{self._http_port}/"

    @property
    def endpoint(self) -> str:
        """The address for webhooks."""
        return f"{self.url}hook"

    @property
    def billing_url(self) -> str:
        """A short address that redirects to the login link of the billing page."""
        return f"{self.url}billing"

    @property
    def login_link(self) -> str:
        """The address to which `billing_url` redirects; empty before the billing page runs."""
        return self._login_link

    def link_to_billing(self, login_link: str) -> None:
        """Sets the address to which `billing_url` redirects."""
        self._login_link = login_link

    def __enter__(self) -> Self:
        """Starts both servers."""
        self._smtp.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops both servers; the mails and calls are discarded."""
        self._smtp.stop()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def new(self) -> list[Arrival]:
        """Returns what has arrived since the last call."""
        with self._lock:
            found, self._new = self._new, []
        return found

    def kept(self) -> list[Arrival]:
        """Returns the latest mails and calls, the oldest first."""
        with self._lock:
            return list(self._kept)

    def _store(self, arrival: Arrival) -> None:
        with self._lock:
            self._new.append(arrival)
            self._kept = [*self._kept[-_KEPT_MAX:], arrival]

    def take_call(self, body: bytes, headers: dict[str, str]) -> bool:
        """Stores a call; returns False when its signature is not botmeter's."""
        try:
            content = Webhook(SECRET).verify(body, headers)
        except WebhookVerificationError:
            return False
        named = {name.lower(): value for name, value in headers.items()}
        account_id = str(content["data"]["account_id"])
        arrival = Arrival("webhook", _now_ms(), named["webhook-id"], account_id, content["type"], body.decode())
        self._store(arrival)
        return True


class _Mailbox:
    """The mail server's handler."""

    def __init__(self, store: Callable[[Arrival], None]) -> None:
        self._store = store

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - named by the library
        """Stores a mail for each recipient."""
        del server, session
        content = envelope.content or b""
        mail = message_from_bytes(content if isinstance(content, bytes) else content.encode(), policy=default)
        body = mail.get_body(("html",)) if isinstance(mail, EmailMessage) else None
        text = str(body.get_content()) if isinstance(body, EmailMessage) else ""
        for recipient in envelope.rcpt_tos:
            self._store(
                Arrival("email", _now_ms(), str(mail["X-Botmeter-Notice"]), recipient, str(mail["Subject"]), text)
            )
        return "250 OK"


def _handler(inbox: Inbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answers with the list, one mail, or a redirect to the billing page."""
            arrivals, wanted = inbox.kept(), self.path.strip("/")
            if not wanted:
                self._answer(200, _page(arrivals), "text/html; charset=utf-8")
            elif wanted == "billing" and inbox.login_link:
                self._answer(302, "", "text/plain", {"location": inbox.login_link, "cache-control": "no-store"})
            elif wanted.isdigit() and int(wanted) < len(arrivals):
                one = arrivals[int(wanted)]
                kind = "text/html" if one.channel == "email" else "application/json"
                self._answer(200, one.content, f"{kind}; charset=utf-8")
            else:
                self._answer(404, "no such mail", "text/plain; charset=utf-8")

        def do_POST(self) -> None:
            """Receives a webhook."""
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            was_taken = self.path == "/hook" and inbox.take_call(body, dict(self.headers.items()))
            self._answer(204 if was_taken else 401, "", "text/plain")

        def _answer(self, status: int, text: str, kind: str, more: Mapping[str, str] = MappingProxyType({})) -> None:
            content = text.encode()
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.send_header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the library
            """Requests are not logged."""

    return Handler


def _page(arrivals: list[Arrival]) -> str:
    rows = "".join(
        f"<tr><td><time>{time.strftime('%H:%M:%S', time.localtime(each.at / 1000))}</time><td>{each.channel}"
        f'<td>{html.escape(each.recipient)}<td><a href="/{number}">{html.escape(each.subject)}</a>'
        for number, each in reversed(list(enumerate(arrivals)))
    )
    mails = sum(each.channel == "email" for each in arrivals)
    return (
        f"<!DOCTYPE html><html lang=en><meta charset=utf-8><title>Inbox</title><style>{_STYLE}</style>"
        f"<h1>Inbox of the demo</h1><p>Mails: {mails}. Webhooks: {len(arrivals) - mails}. The newest comes first. "
        f'<a href="/">Reload</a></p><p><a href="/billing">Admin &gt; Billing</a></p><table>{rows}</table></html>'
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
