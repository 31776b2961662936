"""The recipients of an account's alerts: contacts as rows of a form, and read back from it (`T7`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_args

from starlette.datastructures import FormData

from botmeter.domain.contacts import AlertKind, Contact, ContactDetails
from botmeter.web.page.numbers import some

_KINDS: Final[tuple[AlertKind, ...]] = get_args(AlertKind)
#: The name of each kind of alert on the page.
KINDS: Final[dict[AlertKind, str]] = {
    "threshold_reached": "early warnings",
    "sessions_exhausted": "sessions used up",
    "projected": "likely to run out",
}


def contacts_shown(contacts: Sequence[Contact]) -> dict[str, Any]:
    """Returns the form's rows: each contact with its fields, and an empty one to fill in."""
    rows = [_row(contact if isinstance(contact, ContactDetails) else ContactDetails(contact)) for contact in contacts]
    verb = "gets" if len(rows) == 1 else "get"
    says = (
        f"{some(len(rows), 'person', 'people')} {verb} a mail when an alert fires."
        if rows
        else "No recipients yet: alerts reach no one by mail."
    )
    return {"rows": [*rows, _row(ContactDetails(""))], "kinds": KINDS, "says": says}


def _row(contact: ContactDetails) -> dict[str, Any]:
    wanted = _KINDS if contact.alerts is None else contact.alerts
    return {
        "email": contact.email,
        "name": contact.name or "",
        "locale": contact.locale or "",
        "alerts": wanted,
        "alert_names": ", ".join(KINDS[kind] for kind in wanted) if contact.alerts is not None else "",
    }


def contacts_from(form: FormData) -> list[Any]:
    """Returns the contacts of a form, as a command has them; a contact with an empty address is dropped.

    A contact with nothing but an address is written as the address alone.
    """
    contacts: list[Any] = []
    columns = [[str(text).strip() for text in form.getlist(name)] for name in ("email", "name", "locale")]
    for number, (email, name, locale) in enumerate(zip(*columns, strict=False)):
        wanted = [kind for kind in _KINDS if kind in form.getlist(f"alerts-{number}")]
        details: dict[str, Any] = {"name": name, "locale": locale}
        details = {key: text for key, text in details.items() if text}
        if len(wanted) < len(_KINDS):
            details["alerts"] = wanted
        if email:
            contacts.append({"email": email, **details} if details else email)
    return contacts
