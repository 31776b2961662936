"""A tape runs the worker's pure step, line by line."""

from __future__ import annotations

import json

import pytest

from botmeter.contracts.topics import Topics
from botmeter.domain.prices import Rules
from botmeter.errors import ConfigurationError
from botmeter.metering.pipeline import TICK_ACCOUNTS_MAX
from botmeter.replay.tape import Tape

TOPICS = Topics.named()


def opening(account_id: str) -> bytes:
    command = {
        "type": "open_account",
        "command_id": "k-1",
        "account_id": account_id,
        "issued_by": "crm",
        "plan": "growth",
        "billing_cycle": "monthly",
    }
    line = {"topic": TOPICS.commands.name, "key": account_id, "timestamp": "2026-11-23T10:00:00.000Z", "value": command}
    return json.dumps(line).encode()


def test_a12_a_tick_rolls_every_cycle_that_is_due_also_more_than_a_worker_takes_at_once() -> None:
    accounts = TICK_ACCOUNTS_MAX + 1
    lines = [opening(f"a-{number}") for number in range(accounts)] + [b'{"tick": "2026-12-23T10:00:00.000Z"}']
    outputs = list(Tape(TOPICS, Rules(), 12).run(lines))

    rolled = [output.key for output in outputs if b'"type":"cycle_started"' in (output.value or b"")]
    assert len(set(rolled)) == len(rolled) == accounts


def test_c5_a_line_of_rules_is_followed_from_there_on() -> None:
    rules = {
        "pack_sessions": 7, "pack_price_minor": 777, "currency": "EUR", "complimentary_sessions": 3,
        "ahead_limit_ms": 0, "late_limit_ms": 0, "exhaustion": "all_chats", "default_thresholds": [40],
    }  # fmt: skip
    lines = [opening("before"), json.dumps({"rules": rules}).encode(), opening("after")]
    outputs = list(Tape(TOPICS, Rules(), 12).run(lines))
    balances = {
        output.key: json.loads(output.value or b"")["total"]
        for output in outputs
        if output.topic == TOPICS.balances.name
    }

    assert balances == {b"before": 500, b"after": 3}


def bad(**fields: object) -> bytes:
    """A record that is no interaction."""
    record = {"topic": TOPICS.interactions.name, "key": "acme", "timestamp": "2026-11-23T10:00:00.000Z", "value": "x"}
    return json.dumps({**record, **fields}).encode()


def test_bytes_that_are_no_text_come_out_as_they_went_in() -> None:
    [letter] = Tape(TOPICS, Rules(), 12).run([bad(key="a\udcff", value="\udcfe", headers={"sender": "\udc80"})])

    assert (letter.key, letter.value) == (b"a\xff", b"\xfe")
    assert ("sender", b"\x80") in letter.headers


@pytest.mark.parametrize("field", [{"key": "\ud800"}, {"value": "\ud800"}, {"headers": {"sender": "\ud800"}}])
def test_a_surrogate_that_stands_for_no_byte_is_refused(field: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="line 1 of the tape cannot be read"):
        list(Tape(TOPICS, Rules(), 12).run([bad(**field)]))


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "9991-01-01T00:00:00Z"])
def test_a_moment_that_no_broker_can_have_is_refused(moment: str) -> None:
    for line in (bad(timestamp=moment), json.dumps({"tick": moment}).encode()):
        with pytest.raises(ConfigurationError, match="line 1 of the tape: the year"):
            list(Tape(TOPICS, Rules(), 12).run([line]))
