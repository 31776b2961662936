"""The hot decoder of interactions and the contract's model accept the same records and read the same from them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from pydantic import BaseModel, Field, ValidationError

from botmeter.contracts import catalogue
from botmeter.contracts.decoding import (
    MAX_DEPTH,
    HotInteraction,
    decode_interaction,
    domain_interaction,
)
from botmeter.contracts.derivation import derive
from botmeter.contracts.inputs import InteractionMessage
from botmeter.contracts.instants import millis
from botmeter.domain.sessions import Interaction
from botmeter.errors import PoisonRecord

from .strategies import interaction_records, interactions

INTERACTION = catalogue.INTERACTIONS.messages[0].example

SOUND = json.dumps(INTERACTION).encode()
FIELDS = tuple(InteractionMessage.model_fields)


def by_the_contract(value: bytes) -> dict[str, Any] | str:
    """The fields by JSON's letter and the model alone, else the reason for a dead letter."""
    try:
        parsed = json.loads(
            value.decode(), object_pairs_hook=once_each, parse_constant=no_number, parse_int=any_integer
        )
        is_too_deep = depth(parsed) > MAX_DEPTH
    except (ValueError, RecursionError):
        return "malformed"
    if not isinstance(parsed, dict) or is_too_deep:
        return "malformed"
    try:
        message = InteractionMessage.model_validate(parsed)
    except ValidationError:
        return "invalid"
    return {name: getattr(message, name) for name in FIELDS}


def no_number(name: str) -> None:
    raise ValueError(name)


def any_integer(digits: str) -> float:
    """JSON knows no limit, Python does; to the contract, one that long is only too large."""
    return int(digits) if len(digits) < 1_000 else float(digits)


def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def by_the_decoder(value: bytes) -> dict[str, Any] | str:
    try:
        hot = decode_interaction(value)
    except PoisonRecord as poison:
        return poison.reason
    return {name: getattr(hot, name) for name in FIELDS}


def with_first(extra: bytes) -> bytes:
    return SOUND.replace(b"{", b"{" + extra + b",", 1)


@given(interaction_records())
@settings(max_examples=1500, deadline=None)
@example(SOUND)
@example(SOUND.replace(b'"preview": false, ', b"").replace(b'"bot_id": "b-1"', b'"bot_id": null, "bot_id": "b-1"'))
@example(with_first(b'"preview": false'))
@example(with_first(b'"text": "\\ud800"'))
@example(with_first(b'"text": "say \\"hi\\\\\\" to \\\\"'))
@example(with_first(b'"\\u0065vent_id": "e-1"'))
@example(with_first(b'"text": "\xff"'))
@example(with_first(b'"number": 1e999'))
@example(with_first(b'"more": {"a": 1, "a": 2}'))
@example(with_first(b'"more": [[{"a": "b"}]]'))
@example(SOUND.replace(b"u-1", b"\xc2\x85"))
@example(SOUND.replace(b"u-1", b"\\u0085"))
@example(SOUND.replace(b"2026-11-23T10:00:00.000Z", b"9999-12-31T23:59:59-01:00"))
def test_decoder_and_contract_agree_on_every_record(value: bytes) -> None:
    assert by_the_contract(value) == by_the_decoder(value)


@given(interactions)
@settings(deadline=None)
def test_the_derived_struct_alone_takes_every_interaction_of_the_contract(fields: dict[str, Any]) -> None:
    hot = msgspec.json.decode(json.dumps(fields).encode(), type=HotInteraction)

    message = InteractionMessage.model_validate(fields)
    assert [getattr(hot, name) for name in fields] == [getattr(message, name) for name in fields]


@pytest.mark.parametrize("missing", ["bot_id", "preview"])
def test_what_a_record_may_leave_out_has_its_default(missing: str) -> None:
    hot = decode_interaction(json.dumps({k: v for k, v in INTERACTION.items() if k != missing}).encode())

    assert getattr(hot, missing) == InteractionMessage.model_fields[missing].default


def test_an_interaction_reaches_the_domain() -> None:
    hot = decode_interaction(SOUND.replace(b"10:00:00.000Z", b"12:00:00.000+02:00"))

    assert hot.event_id == "e-1"
    assert hot.account_id == "acme"
    assert domain_interaction(hot, millis(hot.occurred_at)) == Interaction(
        end_user_id="u-1",
        bot_id="b-1",
        conversation_id="c-1",
        widget="conversations",
        actor="end_user",
        preview=False,
        occurred_at=1_795_428_000_000,
    )


def test_a_limit_that_cannot_be_derived_is_refused_at_once() -> None:
    class Rated(BaseModel):
        rate: int = Field(ge=1)

    with pytest.raises(TypeError, match="no translation for the limit Ge"):
        derive("Rated", Rated)


def test_a_type_that_cannot_be_derived_is_refused_at_once() -> None:
    class Listed(BaseModel):
        names: list[str]

    with pytest.raises(TypeError, match="no translation for the type"):
        derive("Listed", Listed)
