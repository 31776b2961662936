"""With a key, all that is kept names end-users by pseudonyms, and nothing else differs."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from dataclasses import replace

import pytest
from hypothesis import given

from botmeter.contracts import catalogue
from botmeter.contracts.pseudonyms import pseudonyms_by, stored_end_user_id
from botmeter.contracts.rules import RulesHistory, RulesSet, decode_rules, differences, encode_rules
from botmeter.domain import events as ev
from botmeter.domain.events import Event
from botmeter.domain.prices import Rules
from botmeter.domain.sessions import session_id
from botmeter.errors import ConfigurationError
from properties import property_

from .partition_inputs import TOPICS, Item, input_of, rules
from .test_split import cut, inputs, meter, splits

KEY = b"a key of more than thirty-two characters"
PSEUDONYMS = pseudonyms_by(KEY)


def with_pseudonyms(event: Event) -> Event:
    """The event as it would be if the chat platform itself had known the end-user so."""
    match event:
        case ev.SessionStarted():
            user = PSEUDONYMS.of(event.account_id, event.end_user_id)
            id_ = session_id(event.account_id, user, event.preview, event.started_at)
            return replace(event, end_user_id=user, session_id=id_)
        case ev.ChatHandedOff():
            return replace(event, end_user_id=PSEUDONYMS.of(event.account_id, event.end_user_id))
        case _:
            return event


@property_
@given(inputs, splits, rules)
def test_the_same_is_decided_and_only_the_journal_names_end_users_otherwise(
    items: list[Item], sizes: list[int], rules_: Rules
) -> None:
    plain, keyed = (meter(cut(items, sizes), each) for each in (rules_, replace(rules_, pseudonyms=PSEUDONYMS)))

    assert keyed.journal == [with_pseudonyms(event) for event in plain.journal]
    others = [name for name in plain.outputs if name != TOPICS.journal.name]
    assert {name: keyed.outputs[name] for name in others} == {name: plain.outputs[name] for name in others}


def test_handoffs_name_the_end_user_as_the_chat_platform_does() -> None:
    """Or the property would prove nothing: there are some in this input."""
    run = meter([input_of(7, 3, 300)], replace(Rules(), pseudonyms=PSEUDONYMS))
    handoffs = [catalogue.HANDOFFS.decode(output.value or b"") for output in run.outputs[TOPICS.handoffs.name]]
    named = {handoff.end_user_id for handoff in handoffs if handoff.type == "chat_handed_off"}
    in_journal = {event.end_user_id for event in run.journal if isinstance(event, ev.SessionStarted | ev.ChatHandedOff)}

    assert named
    assert all(name.startswith("u-") for name in named)
    assert all(name.startswith("p-") and len(name) == 24 for name in in_journal)


def test_a_pseudonym_is_128_bit_of_hmac_sha256_over_account_and_end_user() -> None:
    digest = hmac.new(KEY, b"acme\0u-1", "sha256").digest()

    assert PSEUDONYMS.of("acme", "u-1") == "p-" + urlsafe_b64encode(digest[:16]).decode().rstrip("=")
    assert PSEUDONYMS.of("initech", "u-1") != PSEUDONYMS.of("acme", "u-1")
    assert pseudonyms_by(KEY + b"!").of("acme", "u-1") != PSEUDONYMS.of("acme", "u-1")
    assert repr(KEY.decode()) not in repr(PSEUDONYMS)


def test_who_asks_may_use_the_id_or_the_pseudonym() -> None:
    pseudonym = PSEUDONYMS.of("acme", "u-1")

    assert (
        stored_end_user_id(PSEUDONYMS, "acme", "u-1") == stored_end_user_id(PSEUDONYMS, "acme", pseudonym) == pseudonym
    )
    assert stored_end_user_id(None, "acme", "u-1") == "u-1"


def recorded(rules_: Rules) -> RulesSet:
    """As the log has them."""
    found = decode_rules(encode_rules(RulesSet(1, 0, "worker", None, rules_, ())))
    assert isinstance(found, RulesSet)
    return found


def test_the_log_names_the_key_and_another_one_is_a_difference_that_says_so() -> None:
    keyed = replace(Rules(), pseudonyms=PSEUDONYMS)
    read = recorded(keyed)

    assert KEY not in encode_rules(read)
    assert RulesHistory([read], keyed).now.pseudonyms is PSEUDONYMS
    assert differences(read.rules, keyed) == {}
    found = differences(read.rules, replace(Rules(), pseudonyms=pseudonyms_by(KEY + b"!")))
    assert found["BOTMETER_PSEUDONYM_KEY"][0] == f"key {PSEUDONYMS.key_id}"
    assert differences(read.rules, Rules()) == {"BOTMETER_PSEUDONYM_KEY": (f"key {PSEUDONYMS.key_id}", "none")}


def test_a_log_by_a_key_that_is_not_there_cannot_be_decided_again() -> None:
    known_by_id = recorded(replace(Rules(), pseudonyms=PSEUDONYMS))

    with pytest.raises(ConfigurationError, match="BOTMETER_PSEUDONYM_KEY"):
        meter([input_of(7, 3, 100)], known_by_id.rules)
