"""The contacts that receive an account's alerts, and which alerts each receives (`T7`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: `projected`: at the current rate the sessions run out before the cycle ends.
AlertKind = Literal["threshold_reached", "sessions_exhausted", "projected"]


@dataclass(frozen=True, slots=True)
class ContactDetails:
    """A contact with more details than the address; `locale` is a BCP 47 tag such as `de-AT`.

    `alerts` are the kinds of alerts that the contact receives; None: all.
    """

    email: str
    name: str | None = None
    locale: str | None = None
    alerts: tuple[AlertKind, ...] | None = None


#: An e-mail address alone, or with details.
Contact = str | ContactDetails
Contacts = tuple[Contact, ...]
