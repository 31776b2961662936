"""Mails by SMTP. The phases of a mail decide the outcome of an attempt.

A mail that failed before the final dot certainly did not arrive, and neither did one that the server answered with 4xx
or 5xx. A mail whose dot was sent but not answered may have arrived (RFC 1047): the sender cannot know.

1. connect, EHLO, STARTTLS, AUTH; or reuse the connection of the previous mail
2. MAIL, RCPT, DATA
3. the mail itself
4. `before_dot`: the outbox records that the dot is about to be sent
5. the dot, and the answer to it
"""

from __future__ import annotations

import re
import smtplib
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final

from botmeter.notify.outcomes import Accepted, NotAccepted, Outcome, Refused, Unanswered, Unreachable

#: Servers drop connections that idle, some after a minute; a new one costs less than a mail on a dead one.
_IDLE_S: Final = 15.0
#: A server may limit the mails of one connection.
_MAILS_A_CONNECTION: Final = 100
_LINE_BEGINS_WITH_DOT: Final = re.compile(rb"^\.", re.MULTILINE)
_CLOSES_THE_CONNECTION: Final = 421
_FAULTS: Final = (smtplib.SMTPException, OSError)


@dataclass(frozen=True, slots=True)
class MailServer:
    """The mail server and how to log in."""

    host: str
    port: int
    security: str
    user: str
    password: str
    timeout_s: float


class _StepRefusedError(Exception):
    """The server answered a step with an error."""

    def __init__(self, step: str, code: int, text: bytes) -> None:
        self.code = code
        super().__init__(f"{step}: {code} {text.decode('utf-8', 'replace')}")


class SmtpSender:
    """One connection to the mail server, opened when needed and kept while in use; for one thread."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._connection: smtplib.SMTP | None = None
        self._used_at = 0.0
        self._mails = 0

    def send(self, mail: EmailMessage, sender: str, recipient: str, before_dot: Callable[[], None]) -> Outcome:
        """One attempt. If `before_dot` raises, the mail is not handed over and the exception propagates."""
        try:
            connection = self._connected()
        except _FAULTS as fault:
            self._drop()
            return Unreachable(f"cannot reach the mail server: {_describe(fault)}")
        try:
            self._send_up_to_dot(connection, mail, sender, recipient)
        except _StepRefusedError as answer:
            return self._refusal(answer, is_final=answer.code >= 500)
        except smtplib.SMTPNotSupportedError as fault:
            self._drop()
            return Refused(_describe(fault))
        except _FAULTS as fault:
            self._drop()
            return NotAccepted(f"before the end of the mail: {_describe(fault)}")
        return self._send_dot(connection, before_dot)

    def close(self) -> None:
        """Quit the session and close the connection."""
        if self._connection is not None:
            with suppress(*_FAULTS):
                self._connection.quit()
        self._drop()

    def _connected(self) -> smtplib.SMTP:
        is_fresh = time.monotonic() - self._used_at < _IDLE_S and self._mails < _MAILS_A_CONNECTION
        if self._connection is not None and (not is_fresh or not self._is_alive(self._connection)):
            self.close()
        if self._connection is None:
            self._connection = _connect(self._server)
            self._mails = 0
        self._used_at = time.monotonic()
        self._mails += 1
        return self._connection

    def _is_alive(self, connection: smtplib.SMTP) -> bool:
        """Whether the server still answers; RSET also clears the state of the previous mail."""
        try:
            code, _ = connection.rset()
        except _FAULTS:
            return False
        return code == 250

    def _send_up_to_dot(self, connection: smtplib.SMTP, mail: EmailMessage, sender: str, recipient: str) -> None:
        is_international = not recipient.isascii()
        if is_international and not connection.has_extn("smtputf8"):
            raise smtplib.SMTPNotSupportedError("the mail server takes no addresses beyond ASCII")
        policy = SMTP.clone(utf8=True) if is_international else SMTP
        options = ["SMTPUTF8", "BODY=8BITMIME"] if is_international else []
        _require("MAIL", connection.mail(sender, options))
        _require("RCPT", connection.rcpt(recipient))
        _require("DATA", connection.docmd("DATA"), expected=3)
        body = mail.as_bytes(policy=policy)
        connection.send(_LINE_BEGINS_WITH_DOT.sub(b"..", body))
        if not body.endswith(b"\r\n"):
            connection.send(b"\r\n")

    def _send_dot(self, connection: smtplib.SMTP, before_dot: Callable[[], None]) -> Outcome:
        try:
            before_dot()
        except BaseException:
            self._drop()  # without the dot the server discards the mail
            raise
        try:
            connection.send(b".\r\n")
            code, text = connection.getreply()
            _require("end of the mail", (code, text))
        except _StepRefusedError as answer:
            return self._refusal(answer, is_final=answer.code >= 500)
        except _FAULTS as fault:
            self._drop()
            return Unanswered(f"no answer to the end of the mail: {_describe(fault)}")
        return Accepted(text.decode("utf-8", "replace"))

    def _refusal(self, answer: _StepRefusedError, *, is_final: bool) -> Outcome:
        if answer.code == _CLOSES_THE_CONNECTION:
            self._drop()
        return Refused(str(answer)) if is_final else NotAccepted(str(answer))

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _connect(server: MailServer) -> smtplib.SMTP:
    if server.security == "tls":
        context = ssl.create_default_context()
        connection: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout_s, context=context)
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=server.timeout_s)
    try:
        connection.ehlo_or_helo_if_needed()
        if server.security == "starttls":
            connection.starttls(context=ssl.create_default_context())
            connection.ehlo_or_helo_if_needed()
        if server.user:
            connection.login(server.user, server.password)
    except BaseException:
        connection.close()
        raise
    return connection


def _require(step: str, answer: tuple[int, bytes], expected: int = 2) -> None:
    """Raises _StepRefusedError unless the answer's first digit is the expected one."""
    code, text = answer
    if code // 100 != expected:
        raise _StepRefusedError(step, code, text)


def _describe(fault: BaseException) -> str:
    """The fault in words; without the credentials, which some servers echo."""
    if isinstance(fault, smtplib.SMTPAuthenticationError):
        return f"the login was refused ({fault.smtp_code}); see BOTMETER_NOTIFY_SMTP_USER and _PASSWORD"
    if isinstance(fault, TimeoutError):
        return "no answer in time"
    return str(fault) or type(fault).__name__
