"""The AsyncAPI documents: every topic, its messages and operations; one of them with all schemas inside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from botmeter.contracts import catalogue, schema_export
from botmeter.contracts.json_schemas import AnyChannel
from botmeter.contracts.topics import Topics

SCHEMAS = Path(__file__).parents[2] / "schemas"


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


ASYNCAPI: dict[str, Any] = json.loads((SCHEMAS / schema_export.ASYNCAPI_FILE).read_text("utf-8"))
BUNDLE: dict[str, Any] = json.loads((SCHEMAS / schema_export.ASYNCAPI_BUNDLE_FILE).read_text("utf-8"))


def test_the_asyncapi_document_has_every_topic_with_its_configuration() -> None:
    bindings = {channel["address"]: channel["bindings"]["kafka"] for channel in ASYNCAPI["channels"].values()}

    assert ASYNCAPI["asyncapi"] == "3.0.0"
    assert set(bindings) == {topic.name for topic in Topics.named().all()}
    assert bindings["botmeter.journal"]["topicConfiguration"]["retention.ms"] == -1
    assert bindings["botmeter.balances"]["topicConfiguration"]["cleanup.policy"] == ["compact"]
    assert {binding["partitions"] for binding in bindings.values()} == {12}


def test_every_topic_is_sent_to_or_received_from() -> None:
    acted_on = {(operation["action"], operation["channel"]["$ref"]) for operation in ASYNCAPI["operations"].values()}

    assert acted_on == {
        *(
            ("receive", f"#/channels/{field}")
            for field in ("interactions", "commands", "journal", "snapshots", "rules")
        ),
        *(
            ("send", f"#/channels/{field}")
            for field in (
                "journal",
                "balances",
                "alerts",
                "handoffs",
                "command_results",
                "dead_letters",
                "deliveries",
                "snapshots",
                "rules",
            )
        ),
    }


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    found = list(references(ASYNCAPI))

    assert len(found) > 100
    for reference in found:
        if reference.startswith("#/"):
            node = ASYNCAPI
            for step in reference[2:].split("/"):
                node = node[step]
        else:
            assert (SCHEMAS / reference).is_file()


def test_every_schema_file_is_a_payload() -> None:
    payloads = {reference for reference in references(ASYNCAPI) if reference.startswith("./")}

    assert payloads == {f"./{path.relative_to(SCHEMAS).as_posix()}" for path in SCHEMAS.glob("*/*.json")}


# --- The one that needs no other file --------------------------------------------------------------------------------


def test_the_document_of_one_file_leads_nowhere_else() -> None:
    assert len([reference for reference in references(BUNDLE) if reference.startswith("#/")]) > 100
    assert [reference for reference in references(BUNDLE) if not reference.startswith("#/")] == []
    for reference in references(BUNDLE):
        node = BUNDLE
        for step in reference[2:].split("/"):
            node = node[step]


def test_nothing_stands_beside_a_reference_where_draft_7_does_not_see_it() -> None:
    def siblings(node: Any) -> Iterator[Any]:
        if isinstance(node, dict):
            if "$ref" in node and len(node) > 1:
                yield node
            for value in node.values():
                yield from siblings(value)
        elif isinstance(node, list):
            for item in node:
                yield from siblings(item)

    assert list(siblings(BUNDLE)) == []


ROWS = [(channel, message) for channel in schema_export.CHANNELS for message in channel.messages]


@pytest.mark.parametrize("row", ROWS, ids=[message.name for _, message in ROWS])
def test_its_schemas_are_those_of_the_files(row: tuple[AnyChannel, catalogue.Message]) -> None:
    """They describe the same example, and refuse it without a field that must be there."""
    channel, message = row
    payload = BUNDLE["components"]["messages"][f"{channel.topic}.{message.type}"]["payload"]
    schema = {**payload, "components": BUNDLE["components"]}

    Draft7Validator.check_schema(schema)
    assert payload == {"$ref": f"#/components/schemas/{message.name}"}
    assert Draft7Validator(schema).is_valid(message.example)
    needed = BUNDLE["components"]["schemas"][message.name]["required"][-1]
    lacking = {key: value for key, value in message.example.items() if key != needed}
    assert not Draft7Validator(schema).is_valid(lacking)


# --- What readers and writers need to know ---------------------------------------------------------------------------

DOCUMENTS = pytest.mark.parametrize("document", [ASYNCAPI, BUNDLE], ids=["with files", "alone"])


@DOCUMENTS
def test_producers_read_how_to_partition_and_consumers_how_to_read(document: dict[str, Any]) -> None:
    for field in ("interactions", "commands"):
        assert "murmur2_random" in document["channels"][field]["description"]
    for word in ("murmur2_random", "read_committed", "ce_id", "version"):
        assert word in document["info"]["description"]


@DOCUMENTS
def test_commands_are_linked_with_their_answers(document: dict[str, Any]) -> None:
    assert document["operations"]["receive_commands"]["reply"] == {
        "channel": {"$ref": "#/channels/command_results"},
        "messages": [
            {"$ref": "#/channels/command_results/messages/accepted"},
            {"$ref": "#/channels/command_results/messages/rejected"},
        ],
    }
    for name, message in document["components"]["messages"].items():
        is_linked = message.get("correlationId", {}).get("location") == "$message.payload#/command_id"
        assert is_linked == name.startswith(("commands.", "command_results."))


@DOCUMENTS
def test_journal_and_snapshots_have_no_headers_but_the_trace(document: dict[str, Any]) -> None:
    by_headers = {
        name.split(".")[0]: message.get("headers", {}).get("$ref", "").rsplit("/", 1)[-1]
        for name, message in document["components"]["messages"].items()
    }

    assert [topic for topic, kind in by_headers.items() if kind == "trace_headers"] == ["journal", "snapshots", "rules"]
    assert [topic for topic, kind in by_headers.items() if not kind] == ["interactions", "commands"]
    assert by_headers["dead_letters"] == "dead_letter_headers"
