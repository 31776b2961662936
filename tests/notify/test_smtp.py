"""The phases of a mail, against a real mail server: what certainly did not arrive and what may have is told apart."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from aiosmtpd.smtp import AuthResult

from botmeter.notify.outcomes import Accepted, NotAccepted, Refused, Unanswered, Unreachable
from botmeter.notify.smtp import MailServer as Address
from botmeter.notify.smtp import SmtpSender

from .mail_server import MailServer, first_attempts


def mail(text: str = "hello\n") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Message-ID"] = "botmeter@x.example", "maya@x.example", "<1@x.example>"
    made.set_content(text, cte="7bit")
    return made


class Attempt:
    """One sender, whose attempts note the point of no return."""

    def __init__(self, port: int, timeout_s: float = 30.0) -> None:
        self.sender = SmtpSender(Address("127.0.0.1", port, "none", "", "", timeout_s))
        self.passed = 0

    def __call__(self, text: str = "hello\n", recipient: str = "maya@x.example") -> object:
        return self.sender.send(mail(text), "botmeter@x.example", recipient, self._pass)

    def _pass(self) -> None:
        self.passed += 1


@pytest.fixture
def attempts() -> Iterator[list[Attempt]]:
    made: list[Attempt] = []
    yield made
    for attempt in made:
        attempt.sender.close()


def attempt_at(server: MailServer, attempts: list[Attempt], timeout_s: float = 30.0) -> Attempt:
    attempts.append(Attempt(server.port, timeout_s))
    return attempts[-1]


def test_an_accepted_mail_is_in_the_mailbox(attempts: list[Attempt]) -> None:
    with MailServer() as server:
        outcome = attempt_at(server, attempts)(".leading dots\n..stay\n")

        assert outcome == Accepted("OK, queued")
        [taken] = server.mails
        assert taken.message.get_content().splitlines() == [".leading dots", "..stay"]


@pytest.mark.parametrize(
    ("fault", "expected", "has_passed"),
    [
        ("rcpt 451", NotAccepted, False),
        ("rcpt 550", Refused, False),
        ("hang up at rcpt", NotAccepted, False),
        ("data 451", NotAccepted, False),
        ("hang up in the mail", NotAccepted, None),  # what was written to a dead connection may still seem to go out
        ("answer 451", NotAccepted, True),
        ("answer 554", Refused, True),
        ("kept, hangs up", Unanswered, True),
        ("lost, hangs up", Unanswered, True),
        ("late", Accepted, True),
    ],
)
def test_each_fault_is_told_for_what_it_is(
    attempts: list[Attempt],
    fault: str,
    expected: type,
    has_passed: bool | None,  # noqa: FBT001 - a column of the table
) -> None:
    with MailServer(first_attempts(fault)) as server:
        attempt = attempt_at(server, attempts)
        outcome = attempt()

        assert server.faults == {fault: 1}
        if has_passed is None:
            assert isinstance(outcome, NotAccepted | Unanswered)
        else:
            assert isinstance(outcome, expected)
            assert attempt.passed == has_passed


@pytest.mark.parametrize("fault", ["rcpt 451", "hang up at rcpt", "answer 451", "kept, hangs up"])
def test_after_any_fault_the_next_mail_goes_through(attempts: list[Attempt], fault: str) -> None:
    with MailServer(first_attempts(fault)) as server:
        attempt = attempt_at(server, attempts)
        attempt()

        assert isinstance(attempt(), Accepted)


def test_one_connection_serves_mail_after_mail(attempts: list[Attempt]) -> None:
    with MailServer() as server:
        attempt = attempt_at(server, attempts)

        assert all(isinstance(attempt(), Accepted) for _ in range(5))
        assert len(server.mails) == 5


def test_a_server_that_is_not_there_is_unreachable(attempts: list[Attempt]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        attempts.append(Attempt(taken.getsockname()[1]))

        assert isinstance(attempts[0](), Unreachable)


def test_a_server_that_does_not_answer_the_dot_in_time_may_have_it(attempts: list[Attempt]) -> None:
    with MailServer(first_attempts("late")) as server:
        outcome = attempt_at(server, attempts, timeout_s=0.05)()

        assert isinstance(outcome, Unanswered)
        assert "timed out" in outcome.reason


def test_what_must_not_be_handed_over_is_not(attempts: list[Attempt]) -> None:
    with MailServer() as server:
        sender = SmtpSender(Address("127.0.0.1", server.port, "none", "", "", 30.0))

        def forbid() -> None:
            raise LookupError

        with pytest.raises(LookupError):
            sender.send(mail(), "botmeter@x.example", "maya@x.example", forbid)
        assert server.mails == []
        assert isinstance(attempt_at(server, attempts)(), Accepted)
        assert len(server.mails) == 1


def test_an_address_beyond_ascii_needs_a_server_that_takes_it(attempts: list[Attempt]) -> None:
    with MailServer(enable_SMTPUTF8=False) as server:
        assert isinstance(attempt_at(server, attempts)(recipient="jörg@x.example"), Refused)
    with MailServer() as server:
        assert isinstance(attempt_at(server, attempts)(recipient="jörg@x.example"), Accepted)
        assert server.mails[0].recipient == "jörg@x.example"


def test_a_refused_login_names_the_settings_and_not_the_password() -> None:
    with MailServer(
        auth_require_tls=False, authenticator=lambda *_: AuthResult(success=False, handled=False)
    ) as server:
        sender = SmtpSender(Address("127.0.0.1", server.port, "none", "botmeter", "hunter2", 30.0))
        outcome = sender.send(mail(), "botmeter@x.example", "maya@x.example", lambda: None)

        assert isinstance(outcome, Unreachable)
        assert "hunter2" not in outcome.reason


def test_without_starttls_a_server_is_not_talked_to() -> None:
    with MailServer() as server:
        sender = SmtpSender(Address("127.0.0.1", server.port, "starttls", "", "", 30.0))
        outcome = sender.send(mail(), "botmeter@x.example", "maya@x.example", lambda: None)

        assert isinstance(outcome, Unreachable)
