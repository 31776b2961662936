"""Who is told of an account's alerts: the contacts as a form shows them, and as it sends them back (`T7`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_args

from starlette.datastructures import FormData

from botmeter.domain.contacts import AlertKind, Contact, ContactDetails
from botmeter.web.page.numbers import some

_KINDS: Final[tuple[AlertKind, ...]] = get_args(AlertKind)
#: What each kind of alert is called on the page.
KINDS: Final[dict[AlertKind, str]] = {
    "threshold_reached": "early warnings",
    "sessions_exhausted": "sessions used up",
    "projected": "likely to run out",
}


def contacts_shown(contacts: Sequence[Contact]) -> dict[str, Any]:
    """Each contact with its fields, and an empty one to fill."""
    rows = [_row(contact if isinstance(contact, ContactDetails) else ContactDetails(contact)) for contact in contacts]
    verb = "is" if len(rows) == 1 else "are"
    says = (
        f"{some(len(rows), 'person', 'people')} {verb} told by mail when an alert fires."
        if rows
        else "Nobody yet: alerts reach no one by mail."
    )
    return {"rows": [*rows, _row(ContactDetails(""))], "kinds": KINDS, "says": says}


def _row(contact: ContactDetails) -> dict[str, Any]:
    wanted = _KINDS if contact.alerts is None else contact.alerts
    return {
        "email": contact.email,
        "name": contact.name or "",
        "locale": contact.locale or "",
        "alerts": wanted,
        "told_of": ", ".join(KINDS[kind] for kind in wanted) if contact.alerts is not None else "",
    }


def contacts_from(form: FormData) -> list[Any]:
    """The contacts of a form, as a command has them; those whose address was emptied are dropped.

    Of whom no more is known than the address, the address is all that is said.
    """
    found: list[Any] = []
    columns = [[str(text).strip() for text in form.getlist(name)] for name in ("email", "name", "locale")]
    for number, (email, name, locale) in enumerate(zip(*columns, strict=False)):
        wanted = [kind for kind in _KINDS if kind in form.getlist(f"alerts-{number}")]
        details: dict[str, Any] = {"name": name, "locale": locale}
        details = {key: text for key, text in details.items() if text}
        if len(wanted) < len(_KINDS):
            details["alerts"] = wanted
        if email:
            found.append({"email": email, **details} if details else email)
    return found
