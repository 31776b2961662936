"""Who is told of an account's alerts, and of which (`T7`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: `projected`: at the present rate the sessions will end before the cycle does.
AlertKind = Literal["threshold_reached", "sessions_exhausted", "projected"]


@dataclass(frozen=True, slots=True)
class ContactDetails:
    """A contact of whom more is known than the address; `locale` is a BCP 47 tag such as `de-AT`.

    `alerts` are those it wants to be told of; None: all.
    """

    email: str
    name: str | None = None
    locale: str | None = None
    alerts: tuple[AlertKind, ...] | None = None


#: An e-mail address alone, or with details.
Contact = str | ContactDetails
Contacts = tuple[Contact, ...]
