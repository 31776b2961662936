"""Contacts, as they occur in commands and in outputs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Field, Tag

from botmeter.contracts.fields import Address, Id
from botmeter.contracts.message_model import MessageModel
from botmeter.domain.contacts import AlertKind


class ContactDetails(MessageModel):
    """A contact with more details than the address."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, defer_build=True)

    email: Annotated[Address, Field(description="The e-mail address.")]
    name: Annotated[Id | None, Field(description="The contact's name; null: not known.")] = None
    locale: Annotated[
        str | None,
        Field(
            max_length=35,
            pattern="^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
            description="The language to write in, as a BCP 47 tag such as de-AT; null: the default.",
        ),
    ] = None
    alerts: Annotated[
        list[AlertKind] | None,
        Field(
            max_length=50,
            description="The alerts that the contact wants, in any order; null: all. projected: at the present rate "
            "the sessions will run out before the billing cycle ends.",
        ),
    ] = None


def _shape(contact: Any) -> str | None:
    if isinstance(contact, str):
        return "address"
    return "details" if isinstance(contact, dict | ContactDetails) else None


#: An e-mail address alone, or an object.
Contact = Annotated[
    Annotated[Address, Tag("address")] | Annotated[ContactDetails, Tag("details")],
    Discriminator(
        _shape,
        custom_error_type="contact_type",
        custom_error_message="Input should be an e-mail address or an object with one",
    ),
]
Contacts = Annotated[list[Contact], Field(max_length=50)]
