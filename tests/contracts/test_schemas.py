"""The schemas: they describe what is sent and written, and the files in the repository are those of the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from botmeter.cli.schemas import command
from botmeter.contracts import catalogue, schema_export
from botmeter.contracts.decoding import decode_command, decode_interaction
from botmeter.contracts.encoding import (
    decode_event,
    encode_account,
    encode_event,
    encode_snapshot,
)
from botmeter.domain.account import Account
from botmeter.domain.announcements import Alert, Announcement, balance_of
from botmeter.domain.commands import InvalidCommand
from botmeter.domain.events import Event

from .strategies import accounts, announcements, events, interactions

SCHEMAS = Path(__file__).parents[2] / "schemas"
MESSAGES = [
    (channel.topic.replace("_", "-"), message) for channel in schema_export.CHANNELS for message in channel.messages
]
FILES: dict[str, dict[str, Any]] = {
    path.relative_to(SCHEMAS).with_suffix("").as_posix(): json.loads(path.read_text("utf-8"))
    for path in sorted(SCHEMAS.glob("*/*.json"))
}
VALIDATORS = {name: Draft202012Validator(schema) for name, schema in FILES.items()}

#: The contract's own examples, with what it leaves out filled in.
CONTRACT = [
    json.loads(line) for line in Path(__file__).with_name("contract_examples.ndjson").read_text("utf-8").splitlines()
]


def check(name: str, value: bytes | dict[str, Any]) -> None:
    VALIDATORS[name].validate(json.loads(value) if isinstance(value, bytes) else value)


def test_the_schemas_in_the_repository_are_those_of_the_code(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["export", str(tmp_path / "new" / "schemas")])

    assert done.exit_code == 0, done.output
    fresh, kept = (
        {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "new" / "schemas", SCHEMAS)
    )
    assert fresh == kept, "run: botmeter schemas export schemas"


def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    done = CliRunner().invoke(command, ["export", str(tmp_path / "file" / "schemas")])

    assert done.exit_code == 1
    assert done.output.splitlines() == [f"Error: cannot write to {tmp_path}/file/schemas: Not a directory"]


@pytest.mark.parametrize("name", VALIDATORS)
def test_every_schema_is_one(name: str) -> None:
    schema = FILES[name]

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:botmeter:{name.replace('/', ':')}:v1"
    assert schema["description"]
    assert all(VALIDATORS[name].is_valid(example) for example in schema["examples"])


@pytest.mark.parametrize("line", CONTRACT, ids=[line["schema"] for line in CONTRACT])
def test_the_contracts_examples_fit_their_schemas(line: dict[str, Any]) -> None:
    check(line["schema"], line["message"])


@pytest.mark.parametrize("line", CONTRACT, ids=[line["schema"] for line in CONTRACT])
def test_the_contracts_inputs_are_understood(line: dict[str, Any]) -> None:
    value = json.dumps(line["message"]).encode()

    match line["schema"].split("/")[0]:
        case "interactions":
            assert decode_interaction(value).account_id == "acme"
        case "commands":
            assert not isinstance(decode_command(value)[1], InvalidCommand)
        case "journal":
            assert json.loads(encode_event(decode_event(value))) == line["message"]


@pytest.mark.parametrize(("channel", "message"), MESSAGES, ids=[f"{c}/{m.type}" for c, m in MESSAGES])
def test_schema_and_model_refuse_a_message_without_a_required_field(channel: str, message: catalogue.Message) -> None:
    required = FILES[f"{channel}/{message.type}"]["required"]

    assert required == [name for name, field in message.model.model_fields.items() if field.is_required()]
    for name in required:
        assert not VALIDATORS[f"{channel}/{message.type}"].is_valid(
            {key: value for key, value in message.example.items() if key != name}
        )


@pytest.mark.parametrize(
    "changed",
    [
        {"account_id": ""},
        {"account_id": "a" * 257},
        {"end_user_id": "a\x00"},
        {"bot_id": "\x85"},
        {"widget": "fax"},
        {"actor": None},
        {"preview": None},
        {"preview": 0},
        {"occurred_at": 1},
    ],
)
def test_the_interactions_schema_refuses_what_the_decoder_refuses(changed: dict[str, Any]) -> None:
    message = schema_export.CHANNELS[0].messages[0]

    assert not VALIDATORS["interactions/interaction"].is_valid({**message.example, **changed})


@given(interactions)
@settings(deadline=None)
def test_every_interaction_fits_its_schema(fields: dict[str, Any]) -> None:
    check("interactions/interaction", fields)


@given(events)
@settings(max_examples=300, deadline=None)
def test_every_event_fits_its_schema(event: Event) -> None:
    written = json.loads(encode_event(event))

    check(f"journal/{written['type']}", written)


@given(announcements)
@settings(deadline=None)
def test_every_alert_and_handoff_fits_its_schema(announcement: Announcement) -> None:
    if isinstance(announcement, Alert):
        check(f"alerts/{announcement.type}", catalogue.ALERTS.encode(announcement))
    else:
        check(f"handoffs/{announcement.type}", catalogue.HANDOFFS.encode(announcement))


@given(accounts)
@settings(deadline=None)
def test_every_balance_and_snapshot_fits_its_schema(account: Account) -> None:
    check("balances/balance", catalogue.BALANCES.encode(balance_of(account, 0)))
    check("snapshots/snapshot", encode_snapshot(account, encode_account(account), 0))
