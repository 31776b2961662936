"""Who gets a notice, by which channel, and how a recipient is shown to others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from botmeter.notify.notices import Contact, Notice, facts_of

ChannelName = Literal["email", "webhook"]


@dataclass(frozen=True, slots=True)
class Recipient:
    """One mailbox or endpoint; `locale` is empty for the default."""

    channel: ChannelName
    address: str
    name: str = ""
    locale: str = ""


def recipients_of(notice: Notice, contacts: Iterable[Contact], endpoints: Sequence[str]) -> list[Recipient]:
    """Everybody who is told of the notice.

    That the bot stands still because the sessions are used up is told by the alert of the same moment, so no second
    mail says it.
    """
    found = [Recipient("webhook", url) for url in endpoints]
    if notice.kind == "bot_suspended" and facts_of(notice.body).reason == "sessions_exhausted":
        return found
    mails = (
        Recipient("email", contact.email, contact.name or "", contact.locale or "")
        for contact in contacts
        if contact.wants(notice.kind)
    )
    return [*found, *mails]


def delivery_id(notice_id: str, recipient: Recipient) -> str:
    """The same for the same notice, channel and recipient, whoever makes it and when."""
    text = f"{notice_id}\0{recipient.channel}\0{recipient.address}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def masked(channel: str, address: str) -> str:
    """The recipient as others may see it: `a***@acme.example`, or an endpoint without its path."""
    if channel == "webhook":
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.hostname}/***"
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"
