"""The journal on the wire: each event as the contract has it, and exactly the same event when read again (J1)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from botmeter.contracts import catalogue
from botmeter.contracts.codec import message_type
from botmeter.contracts.encoding import decode_event, encode_event
from botmeter.domain.events import Event, InteractionCause, SessionStarted, TimerCause

from .strategies import EVENT_CLASSES, events

MODELS = {message.type: message.model for message in catalogue.JOURNAL.messages}
JOURNAL = [message.example for message in catalogue.JOURNAL.messages]

STARTED = SessionStarted(
    account_id="acme",
    version=41,
    at=1_795_428_000_000,
    cause=InteractionCause("chat.interactions", 0, 17, "e-1"),
    session_id="3f0c9d1e5b7a48826c4d0e9f1a2b3c4d",
    end_user_id="u-1",
    preview=False,
    started_at=1_795_428_000_000,
    ends_at=1_795_514_400_000,
    cycle_number=3,
    pool="purchased",
    used=1600,
    bot_id="b-1",
    conversation_id="c-1",
    widget="conversations",
)


def example_of(type_: str) -> dict[str, Any]:
    return next(example for example in JOURNAL if example["type"] == type_)


@given(events)
@settings(max_examples=400, deadline=None)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    assert decode_event(encode_event(event)) == event


@given(events)
@settings(max_examples=400, deadline=None)
def test_every_event_is_what_its_model_says_field_by_field(event: Event) -> None:
    written = json.loads(encode_event(event))

    model = MODELS[message_type(event)]
    assert list(written) == list(model.model_fields)
    model.model_validate(written)


def test_every_event_has_a_model() -> None:
    assert len(MODELS) == len(EVENT_CLASSES) == 20


def test_an_event_looks_like_the_contracts_example() -> None:
    written = encode_event(STARTED)

    assert json.loads(written) == example_of("session_started")
    assert list(json.loads(written)) == list(example_of("session_started"))


@pytest.mark.parametrize("example", JOURNAL, ids=[example["type"] for example in JOURNAL])
def test_the_examples_are_events(example: dict[str, Any]) -> None:
    event = decode_event(json.dumps(example).encode())

    assert json.loads(encode_event(event)) == example
    assert message_type(event) == example["type"]


def test_the_timer_is_a_cause() -> None:
    event = decode_event(json.dumps(example_of("cycle_started")).encode())

    assert event.cause == TimerCause(before_offset=18)


def test_fields_of_later_versions_are_ignored() -> None:
    later = {**example_of("session_started"), "mood": {"good": True}}
    later["cause"] = {**later["cause"], "trace": "t"}

    assert decode_event(json.dumps(later).encode()) == STARTED


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"type": "session_stopped"}, id="unknown type"),
        pytest.param({"type": None}, id="no type"),
        pytest.param({"version": "41"}, id="wrong type"),
        pytest.param({"at": 1}, id="a number for a moment"),
        pytest.param({"at": "2026-11-23T10:00:00"}, id="a moment without offset"),
        pytest.param({"pool": "swimming"}, id="unknown pool"),
        pytest.param({"cause": None}, id="no cause"),
        pytest.param({"cause": {}}, id="empty cause"),
        pytest.param({"cause": {"topic": "t", "partition": 0, "offset": 1}}, id="cause of no kind"),
        pytest.param({"cause": {"event_id": "e-1", "offset": 1}}, id="cause without a place"),
        pytest.param({"cause": {"timer": "daily", "before_offset": 1}}, id="unknown timer"),
        pytest.param({"cause": {"timer": "cycle"}}, id="timer without a place"),
        pytest.param({"cause": {"before_offset": 1}}, id="a place alone"),
    ],
)
def test_what_is_no_event_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not an event of the journal"):
        decode_event(json.dumps({**example_of("session_started"), **changed}).encode())


@pytest.mark.parametrize("value", [b"", b"[]", b"{}", b"\xff", encode_event(STARTED).replace(b"u-1", b"\xff")])
def test_what_is_no_record_of_the_journal_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="not an event of the journal"):
        decode_event(value)


@pytest.mark.parametrize("missing", [name for name in example_of("session_started") if name != "mood"])
def test_every_field_of_an_event_is_needed(missing: str) -> None:
    lacking = {key: value for key, value in example_of("session_started").items() if key != missing}

    with pytest.raises(ValueError, match="not an event of the journal"):
        decode_event(json.dumps(lacking).encode())
