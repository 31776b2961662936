"""End-user ids in long-term storage: the ids themselves, or pseudonyms made with the key of the rules (`C5`).

A pseudonym replaces the id as soon as an interaction is decoded, so windows, journal, snapshots, stores and the read
side only have the pseudonym. Only a handoff has the chat platform's id, because the routing service needs it.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from botmeter.contracts.decoding import HotInteraction, decode_interaction, decode_interactions
from botmeter.domain.announcements import HandedOffChat, Handoff
from botmeter.domain.prices import Pseudonyms, Rules
from botmeter.errors import ConfigurationError, PoisonRecord

Decode = Callable[[Iterable[bytes | None]], list[HotInteraction | PoisonRecord]]

_PREFIX: Final = "p-"
#: 128 bit: among a billion end-users of an account, two share a pseudonym with a probability below 1 in 10^20.
_DIGEST_BYTES: Final = 16
_DIGEST_CHARACTERS: Final = 22
_PSEUDONYM: Final = re.compile(rf"{_PREFIX}[A-Za-z0-9_-]{{{_DIGEST_CHARACTERS}}}")
_KEY_ID_CHARACTERS: Final = 8


def pseudonyms_by(key: bytes) -> Pseudonyms:
    """128 bit of the HMAC-SHA256 of account and end-user: a person has different pseudonyms at different accounts."""

    def of(account_id: str, end_user_id: str) -> str:
        # Ids hold no control characters. A lone surrogate cannot be decoded from JSON.
        digest = hmac.digest(key, f"{account_id}\0{end_user_id}".encode(), "sha256")
        return _PREFIX + urlsafe_b64encode(digest[:_DIGEST_BYTES])[:_DIGEST_CHARACTERS].decode()

    return Pseudonyms(hmac.digest(key, b"botmeter pseudonym key", "sha256").hex()[:_KEY_ID_CHARACTERS], of)


def pseudonyms_of_key(key_id: str) -> Pseudonyms:
    """The pseudonyms of a key of which only the id is known: making one raises ConfigurationError."""

    def of(account_id: str, end_user_id: str) -> str:
        del account_id, end_user_id
        raise ConfigurationError(
            f"the log has pseudonyms by the key {key_id}, which BOTMETER_PSEUDONYM_KEY is not: set it to that key"
        )

    return Pseudonyms(key_id, of)


def decoder_of(rules: Rules) -> Decode:
    """Returns the decoder of interactions for these rules."""
    if rules.pseudonyms is None:
        return decode_interactions
    of = rules.pseudonyms.of

    def decode(values: Iterable[bytes | None]) -> list[HotInteraction | PoisonRecord]:
        found = decode_interactions(values)
        for hot in found:
            if not isinstance(hot, PoisonRecord):
                hot.end_user_id = of(hot.account_id, hot.end_user_id)
        return found

    return decode


def with_original_end_user(handoff: Handoff, rules: Rules, value: bytes | None) -> Handoff:
    """Returns the handoff with the end-user id that the interaction's record has."""
    if rules.pseudonyms is None or not isinstance(handoff, HandedOffChat):
        return handoff
    return replace(handoff, end_user_id=decode_interaction(value).end_user_id)


def stored_end_user_id(pseudonyms: Pseudonyms | None, account_id: str, end_user_id: str) -> str:
    """Returns the stored id of an end-user, whom the caller names by the platform's id or by the pseudonym itself."""
    if pseudonyms is None or _PSEUDONYM.fullmatch(end_user_id):
        return end_user_id
    return pseudonyms.of(account_id, end_user_id)
