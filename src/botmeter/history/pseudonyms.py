"""Pseudonyms for ids and addresses of people: equal names get equal ones, and only the key can check a guess. Pure."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Any, Final

from botmeter.contracts import catalogue, decoding
from botmeter.contracts.topics import Topics
from botmeter.domain import events as ev
from botmeter.domain.contacts import Contact, ContactDetails
from botmeter.domain.events import Event
from botmeter.domain.sessions import session_id
from botmeter.errors import PoisonRecord

_CHARACTERS: Final = 16
#: Stands for a value that cannot be read, and may hold anything.
_UNREADABLE: Final = "unreadable"


class Pseudonyms:
    """A keyed hash (HMAC-SHA256, 64 bit of it) of end-users, conversations and contacts."""

    def __init__(self, key: bytes) -> None:
        """A holder of the key can check whether a pseudonym belongs to a guessed name."""
        self._key = key

    def of(self, kind: str, name: str) -> str:
        """The pseudonym, which begins with `kind`."""
        digest = hmac.digest(self._key, f"{kind}\0{name}".encode("utf-8", "surrogatepass"), "sha256")
        return f"{kind}-{digest.hex()[:_CHARACTERS]}"

    def in_fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields of an input, with pseudonyms."""
        changed = dict(fields)
        for name, kind in (("end_user_id", "user"), ("conversation_id", "chat")):
            if isinstance(fields.get(name), str):
                changed[name] = self.of(kind, fields[name])
        if isinstance(fields.get("contacts"), list):
            changed["contacts"] = [self._contact_json(contact) for contact in fields["contacts"]]
        return changed

    def in_value(self, topic: str, value: bytes, topics: Topics) -> Any:
        """The value of an input with pseudonyms, and without fields that the contract does not know."""
        try:
            fields = decoding.json_object(value)
        except PoisonRecord:
            return _UNREADABLE
        known = _known_fields(topic == topics.interactions.name)
        return self.in_fields({name: value for name, value in fields.items() if name in known})

    def in_event(self, event: Event) -> Event:
        """The event that the pseudonymous inputs lead to."""
        match event:
            case ev.SessionStarted():
                user, chat = self.of("user", event.end_user_id), self.of("chat", event.conversation_id)
                id_ = session_id(event.account_id, user, event.preview, event.started_at)
                return replace(event, end_user_id=user, conversation_id=chat, session_id=id_)
            case ev.ChatHandedOff():
                user, chat = self.of("user", event.end_user_id), self.of("chat", event.conversation_id)
                return replace(event, end_user_id=user, conversation_id=chat)
            case ev.AccountOpened() | ev.ContactsSet():
                return replace(event, contacts=tuple(map(self._contact, event.contacts)))
            case _:
                return event

    def _contact_json(self, contact: Any) -> Any:
        if isinstance(contact, str):
            return self._address(contact)
        if isinstance(contact, dict) and isinstance(contact.get("email"), str):
            kept = {name: value for name, value in contact.items() if name in {"locale", "alerts"}}
            return {"email": self._address(contact["email"]), **kept}
        return contact

    def _contact(self, contact: Contact) -> Contact:
        if isinstance(contact, ContactDetails):
            return replace(contact, email=self._address(contact.email), name=None)
        return self._address(contact)

    def _address(self, address: str) -> str:
        return f"{self.of('contact', address)}@pseudonym.invalid"


def _known_fields(is_interaction: bool) -> set[str]:  # noqa: FBT001 - which of the two inputs
    channel = catalogue.INTERACTIONS if is_interaction else catalogue.COMMANDS
    return {name for message in channel.messages for name in message.model.model_fields}
