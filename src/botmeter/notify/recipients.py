"""Who gets a notice, by which channel, and how a recipient is masked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from botmeter.domain.contacts import Contact, ContactDetails
from botmeter.notify.notices import ALERT_KINDS, Kind, Notice, facts_of

ChannelName = Literal["email", "webhook"]


@dataclass(frozen=True, slots=True)
class Recipient:
    """One mailbox or endpoint; `locale` is empty for the default."""

    channel: ChannelName
    address: str
    name: str = ""
    locale: str = ""


def recipients_of(notice: Notice, contacts: Iterable[Contact], endpoints: Sequence[str]) -> list[Recipient]:
    """All recipients of the notice.

    A suspension for used-up sessions gets no mail, because the alert of the same moment reports it already.
    """
    webhooks = [Recipient("webhook", url) for url in endpoints]
    if notice.kind == "bot_suspended" and facts_of(notice.body).reason == "sessions_exhausted":
        return webhooks
    by_address: dict[str, Recipient] = {}
    for contact in map(_details, contacts):
        if _wants(contact, notice.kind):
            mail = Recipient("email", contact.email, contact.name or "", contact.locale or "")
            by_address.setdefault(contact.email.casefold(), mail)
    return [*webhooks, *by_address.values()]


def _details(contact: Contact) -> ContactDetails:
    return ContactDetails(contact) if isinstance(contact, str) else contact


def _wants(contact: ContactDetails, kind: Kind) -> bool:
    """Whether the contact has chosen this kind (`T7`). Suspensions and resumptions belong to `sessions_exhausted`."""
    chosen_as = kind if kind in ALERT_KINDS else "sessions_exhausted"
    return contact.alerts is None or chosen_as in contact.alerts


def delivery_id(notice_id: str, recipient: Recipient) -> str:
    """The delivery's id: always the same for the same notice, channel and recipient."""
    text = f"{notice_id}\0{recipient.channel}\0{recipient.address}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def masked(channel: str, address: str) -> str:
    """The recipient in a form that may be published: `a***@acme.example`, or an endpoint without its path."""
    if channel == "webhook":
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.hostname}/***"
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"
