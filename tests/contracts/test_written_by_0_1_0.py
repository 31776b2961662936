"""What release 0.1.0 wrote stays readable: its journal, accounts, snapshots and all its outputs.

The records in `released/0.1.0/records/` were printed by its `botmeter replay` for the tape beside them, with headers;
accounts and snapshots are those of its store and its snapshots topic at the tape's end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from jsonschema import Draft202012Validator

from botmeter.contracts import catalogue
from botmeter.contracts.codec import message_type
from botmeter.contracts.encoding import decode_account, decode_snapshot
from botmeter.contracts.topics import Topics
from botmeter.domain.account import Account, evolve
from botmeter.domain.announcements import balance_of
from botmeter.domain.events import Event
from botmeter.domain.naming import type_name
from botmeter.domain.prices import Rules
from botmeter.replay.tape import Tape, output_line

SCHEMAS = Path(__file__).with_name("released") / "0.1.0" / "schemas"
WRITTEN = Path(__file__).with_name("released") / "0.1.0" / "records"
TOPICS = Topics.named()


def lines(name: str) -> list[bytes]:
    return (WRITTEN / f"{name}.ndjson").read_bytes().splitlines()


OUTPUTS: list[dict[str, Any]] = [json.loads(line) for line in lines("outputs")]


def values(topic: str) -> Iterator[bytes]:
    """The values of a topic, byte by byte as they were: replay prints them as they are encoded."""
    return (msgspec.json.encode(output["value"]) for output in OUTPUTS if output["topic"] == topic)


def folded() -> dict[str, tuple[Account, int]]:
    """Each account after the journal, and the time of its last event."""
    accounts: dict[str, tuple[Account, int]] = {}
    for value in values(TOPICS.journal.name):
        event = catalogue.JOURNAL.decode(value)
        before = accounts.get(event.account_id)
        accounts[event.account_id] = evolve(before[0] if before else None, event), event.at
    return accounts


def test_the_journal_has_every_event_and_all_are_read() -> None:
    read = [catalogue.JOURNAL.decode(value) for value in values(TOPICS.journal.name)]

    assert {message_type(event) for event in read} == {type_name(class_) for class_ in get_args(Event)}


def test_an_event_read_from_it_is_written_with_every_field_it_had() -> None:
    for value in values(TOPICS.journal.name):
        now = json.loads(catalogue.JOURNAL.encode(catalogue.JOURNAL.decode(value)))

        assert now | json.loads(value) == now


def test_its_journal_comes_to_its_accounts() -> None:
    stored = {account.account_id: account for account in map(decode_account, lines("accounts"))}

    assert {account_id: account for account_id, (account, _) in folded().items()} == stored
    assert len(stored) == 2


def test_its_snapshots_are_its_accounts() -> None:
    stored = [decode_account(line) for line in lines("accounts")]

    assert [decode_snapshot(line) for line in lines("snapshots")] == [(stored[0], 0), (stored[1], 1)]


def test_its_journal_comes_to_its_balances() -> None:
    latest = {balance.account_id: balance for balance in map(catalogue.BALANCES.decode, values(TOPICS.balances.name))}

    assert {account_id: balance_of(account, at) for account_id, (account, at) in folded().items()} == latest


@pytest.mark.parametrize(
    "channel", [catalogue.ALERTS, catalogue.HANDOFFS, catalogue.COMMAND_RESULTS], ids=["alerts", "handoffs", "results"]
)
def test_its_outputs_are_read(channel: catalogue.Channel[Any, Any]) -> None:
    read = [message_type(channel.decode(value)) for value in values(channel.topic_of(TOPICS).name)]

    assert set(read) == {message.type for message in channel.messages}


def test_its_dead_letters_are_read() -> None:
    headers = [output["headers"] for output in OUTPUTS if output["topic"] == TOPICS.dead_letters.name]
    letters = [
        catalogue.DEAD_LETTERS.decode([(name, text.encode()) for name, text in found.items()]) for found in headers
    ]

    assert {letter.reason for letter in letters} == {"malformed", "too_late", "account_closed"}


def test_the_same_inputs_come_to_the_same_today_but_for_fields_added_since() -> None:
    printed = [json.loads(output_line(output)) for output in Tape(TOPICS, Rules(), 1).run(lines("tape"))]

    assert len(printed) == len(OUTPUTS)
    for now, then in zip(printed, OUTPUTS, strict=True):
        assert (now["topic"], now["key"]) == (then["topic"], then["key"])
        assert isinstance(then["value"], str) or now["value"] | then["value"] == now["value"]
        carries_all = now["topic"] not in {TOPICS.journal.name, TOPICS.snapshots.name}
        assert now["headers"] == (then["headers"] if carries_all else trace_of(then["headers"]))


def test_its_readers_read_what_is_written_today() -> None:
    """By its schemas, which its decoders are held to; fields they do not know they ignore."""
    validators = {
        path.relative_to(SCHEMAS).with_suffix("").as_posix(): Draft202012Validator(json.loads(path.read_text("utf-8")))
        for path in SCHEMAS.glob("*/*.json")
    }
    folders = {channel.topic_of(TOPICS).name: channel.topic.replace("_", "-") for channel in catalogue.CHANNELS}
    seen = set()

    for output in Tape(TOPICS, Rules(), 1).run(lines("tape")):
        if output.topic != TOPICS.dead_letters.name:
            message = json.loads(output.value or b"")
            seen.add(f"{folders[output.topic]}/{message['type']}")
            validators[f"{folders[output.topic]}/{message['type']}"].validate(message)

    assert len(seen) == 20 + 1 + 2 + 3 + 2  # events, balance, alerts, handoffs, results


def trace_of(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name == "traceparent"}
