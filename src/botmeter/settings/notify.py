"""Settings of `botmeter notify`: mail server, webhooks, timeouts and retries."""

from __future__ import annotations

import re
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Final, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from botmeter.settings import shapes

_WEBHOOK: Final = re.compile(r"https?://\S+( whsec_[A-Za-z0-9+/=]+)+")


class NotifySettings(BaseModel):
    """The notifier's part of `Settings`."""

    notify_group: str = Field(
        default="botmeter-notify",
        pattern=shapes.NAME,
        description="Consumer group of the notifiers; those of one group share one database.",
    )
    notify_database_url: SecretStr = Field(
        default=SecretStr(""),
        description="The notifiers' database, such as postgresql+psycopg://user:password@host/name. "
        "Empty: SQLite, in the file notify.db of the data directory.",
    )
    notify_port: int = Field(
        default=6067, ge=0, le=65535, description="Port of the notifier's health and metrics; 0 is any free one."
    )
    notify_smtp_host: str = Field(
        default="",
        pattern=shapes.HOST_OR_NOTHING,
        description="Mail server that sends the mails. Empty: no mails are sent.",
    )
    notify_smtp_port: int = Field(default=587, ge=1, le=65535, description="Port of the mail server.")
    notify_smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="How the connection to the mail server is protected: starttls, tls from the first byte, or none.",
    )
    notify_smtp_user: str = Field(default="", description="User at the mail server. Empty: no login.")
    notify_smtp_password: SecretStr = Field(default=SecretStr(""), description="Password at the mail server.")
    notify_smtp_timeout_s: float = Field(
        default=30.0, gt=0, le=600, description="How long to wait for each answer of the mail server, in seconds."
    )
    notify_mail_from: str = Field(
        default="botmeter <botmeter@localhost>",
        max_length=320,
        description="Sender of the mails: an address, or Name <address>. Every Message-ID has its domain.",
    )
    notify_reply_to: str = Field(
        default="", max_length=320, description="Where answers to the mails go. Empty: to the sender."
    )
    notify_idempotency_header: str = Field(
        default="",
        pattern=shapes.HEADER_OR_NOTHING,
        description="Name of the header by which the mail provider drops a repeated mail, "
        "such as Resend-Idempotency-Key. Empty: none.",
    )
    notify_billing_url: str = Field(
        default="",
        pattern=shapes.URL_OR_NOTHING,
        description="Address of Admin > Billing for the link in each mail; {account_id} is filled in. "
        "Empty: the page of `botmeter web` at BOTMETER_HTTP_PUBLIC_URL.",
    )
    notify_locale: Literal["en", "de"] = Field(
        default="en", description="Language of mails to contacts without a locale, or with an unsupported one."
    )
    notify_webhooks: SecretStr = Field(
        default=SecretStr(""),
        description="Endpoints that are called for every alert, suspension and resumption, separated by commas; each "
        "is a URL and, after a space, its secret (whsec_...), or two while the secret is rotated.",
    )
    notify_webhook_timeout_s: float = Field(
        default=15.0, gt=0, le=300, description="How long an endpoint may take to answer, in seconds."
    )
    notify_projected: bool = Field(
        default=False,
        description="Whether to alert, once per billing cycle, when sessions will run out before the cycle ends.",
    )
    notify_max_age_s: int = Field(
        default=3_600,
        ge=0,
        description="On the first start, alerts older than this are recorded and not sent, in seconds.",
    )
    notify_retry_s: float = Field(
        default=5.0, gt=0, le=3600, description="Pause before the second attempt, in seconds; it doubles each time."
    )
    notify_retry_max_s: float = Field(
        default=3_600.0, gt=0, description="Longest pause between two attempts, in seconds."
    )
    notify_give_up_s: float = Field(
        default=86_400.0,
        gt=0,
        description="After this time without success, the delivery of an alert has failed, in seconds.",
    )
    notify_repeat_s: float = Field(
        default=60.0,
        gt=0,
        description="Pause before a mail is sent again because the server received it and did not answer, in seconds.",
    )
    notify_repeats_max: int = Field(
        default=3,
        ge=0,
        le=20,
        description="How often a mail is sent again because no answer came; after that it has failed.",
    )
    notify_claim_s: float = Field(
        default=60.0,
        ge=1,
        description="After this time another notifier takes over a mail or call of one that died, in seconds.",
    )
    notify_mail_senders: int = Field(
        default=4, ge=1, le=64, description="Connections to the mail server that one notifier uses at a time."
    )

    @field_validator("notify_mail_from", "notify_reply_to")
    @classmethod
    def _an_address(cls, text: str) -> str:
        if text:
            named_address(text)
        return text

    @field_validator("notify_webhooks")
    @classmethod
    def _urls_with_secrets(cls, text: SecretStr) -> SecretStr:
        for endpoint in _split(text.get_secret_value()):
            if not _WEBHOOK.fullmatch(endpoint):
                raise ValueError("should be URLs with their secrets, such as https://example.com/hook whsec_...")
        return text

    @model_validator(mode="after")
    def _a_login_is_protected(self) -> NotifySettings:
        if self.notify_smtp_user and self.notify_smtp_security == "none":
            raise ValueError("BOTMETER_NOTIFY_SMTP_USER needs BOTMETER_NOTIFY_SMTP_SECURITY starttls or tls")
        return self

    def webhooks(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Returns each endpoint's URL and its secrets."""
        found = [endpoint.split(" ") for endpoint in _split(self.notify_webhooks.get_secret_value())]
        return tuple((url, tuple(secrets)) for url, *secrets in found)


def named_address(text: str) -> Address:
    """Parses `Name <address>` or `address`. Raises ValueError when it is neither."""
    name, address = parseaddr(text)
    if "@" not in address or re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("should be an e-mail address")
    return Address(display_name=name, addr_spec=address)


def _split(text: str) -> list[str]:
    return [" ".join(endpoint.split()) for endpoint in text.split(",") if endpoint.strip()]
