"""A tape runs the worker's pure step, line by line."""

from __future__ import annotations

import json

from botmeter.contracts.topics import Topics
from botmeter.domain.prices import Rules
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
