"""The channels: each makes one attempt at a claimed delivery and returns its outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from botmeter.notify.mail import NoAddressError, Stationery, make_mail
from botmeter.notify.outbox import Claim
from botmeter.notify.outcomes import Outcome, Refused
from botmeter.notify.recipients import ChannelName
from botmeter.notify.smtp import MailServer, SmtpSender
from botmeter.notify.webhooks import WebhookSender


class Channel(Protocol):
    """One sender's connection to a channel; used by one thread."""

    name: ChannelName
    #: How long the receiver may take to answer once everything is handed over.
    answer_within_ms: int

    def attempt(self, claim: Claim, before_the_point_of_no_return: Callable[[], None]) -> Outcome:
        """Try once. If the callable raises, nothing is sent and the exception propagates."""

    def close(self) -> None:
        """Close the connections."""


class EmailChannel:
    """Mails, by SMTP."""

    name: ChannelName = "email"

    def __init__(self, server: MailServer, stationery: Stationery) -> None:
        self.answer_within_ms = int(server.timeout_s * 1000)
        self._sender = SmtpSender(server)
        self._stationery = stationery

    def attempt(self, claim: Claim, before_the_point_of_no_return: Callable[[], None]) -> Outcome:
        """Try once; a contact without a valid address is refused without contacting the mail server."""
        try:
            mail = make_mail(claim.notice, claim.delivery_id, claim.recipient, claim.time_zone, self._stationery)
        except NoAddressError as error:
            return Refused(str(error))
        recipient = mail["To"].addresses[0].addr_spec
        return self._sender.send(mail, self._stationery.envelope_sender, recipient, before_the_point_of_no_return)

    def close(self) -> None:
        """Close the connection to the mail server."""
        self._sender.close()


class WebhookChannel:
    """Calls of endpoints."""

    name: ChannelName = "webhook"

    def __init__(self, secrets: Mapping[str, Sequence[str]], timeout_s: float) -> None:
        self.answer_within_ms = int(timeout_s * 1000)
        self._sender = WebhookSender(secrets, timeout_s)

    def attempt(self, claim: Claim, before_the_point_of_no_return: Callable[[], None]) -> Outcome:
        """Try once."""
        return self._sender.send(claim.notice, claim.recipient.address, before_the_point_of_no_return)

    def close(self) -> None:
        """Close the connections."""
        self._sender.close()
