"""Every field says what it means: its unit, its order, what null is; every message how its readers know it again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botmeter.contracts import catalogue, headers
from botmeter.contracts.json_schemas import plain_schema

SCHEMAS = Path(__file__).parents[2] / "schemas"
FILES: dict[str, dict[str, Any]] = {
    path.relative_to(SCHEMAS).with_suffix("").as_posix(): json.loads(path.read_text("utf-8"))
    for path in sorted(SCHEMAS.glob("*/*.json"))
}
HEADERS = {
    model.__name__: plain_schema(model)
    for model in (headers.OutputHeaders, headers.TraceHeaders, headers.DeadLetterHeaders)
}
EVERY = {**FILES, **HEADERS}


def fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of a message and of the objects in it."""
    for object_ in (schema, *schema.get("$defs", {}).values()):
        yield from object_.get("properties", {}).items()


def shapes(described: dict[str, Any]) -> list[dict[str, Any]]:
    return [described, *described.get("anyOf", []), *described.get("oneOf", [])]


@pytest.mark.parametrize("name", EVERY)
def test_every_field_and_every_object_says_what_it_means(name: str) -> None:
    schema = EVERY[name]

    assert [field for field, described in fields(schema) if not described.get("description")] == []
    assert [found for found, object_ in schema.get("$defs", {}).items() if not object_.get("description")] == []
    assert all(described["description"].endswith((".", ")")) for _, described in fields(schema))


@pytest.mark.parametrize("name", FILES)
def test_every_field_that_may_be_null_says_what_that_means(name: str) -> None:
    may_be_null = [found for found in fields(FILES[name]) if {"type": "null"} in shapes(found[1])]

    assert [field for field, described in may_be_null if "null" not in described["description"]] == []


@pytest.mark.parametrize("name", FILES)
def test_every_list_says_its_order(name: str) -> None:
    lists = [found for found in fields(FILES[name]) if any(shape.get("type") == "array" for shape in shapes(found[1]))]

    assert [field for field, told in lists if not re.search("order|ascending", told["description"])] == []


@pytest.mark.parametrize("name", FILES)
def test_every_moment_says_its_time_zone(name: str) -> None:
    moments = [
        found for found in fields(FILES[name]) if any(shape.get("format") == "date-time" for shape in shapes(found[1]))
    ]

    assert [field for field, told in moments if not re.search("UTC|any offset", told["description"])] == []


@pytest.mark.parametrize("name", FILES)
def test_every_message_says_how_it_is_known_again_and_what_orders_it(name: str) -> None:
    schema = FILES[name]
    topic = name.split("/", maxsplit=1)[0]

    if topic != "snapshots":
        assert "idempotency key" in schema["description"]
    if "version" in schema["properties"] and topic != "snapshots":
        assert "version orders the messages of an account across all topics" in schema["description"]
        assert "orders the messages of an account" in schema["properties"]["version"]["description"]


def test_producers_read_how_to_partition_where_they_look() -> None:
    for name, schema in FILES.items():
        if name.split("/")[0] in {"interactions", "commands"}:
            assert "murmur2" in schema["description"]
            assert "murmur2_random" in schema["properties"]["account_id"]["description"]


def test_a_field_that_was_added_says_since_when() -> None:
    added = {
        (name, field) for name, schema in FILES.items() for field, described in fields(schema) if "x-since" in described
    }

    assert {field for name, field in added if name == "alerts/threshold_reached"} == {
        "plan", "packs", "time_zone", "cycle_starts_at", "cycle_elapsed_percent", "auto_recharge",
    }  # fmt: skip
    assert {("handoffs/bot_resumed", "handoff_id"), ("command-results/accepted", "charge")} <= added
    assert all("Since release 0.2.0" in FILES[name]["properties"][field]["description"] for name, field in added)


def test_rows_say_the_ids_of_their_messages() -> None:
    assert {channel.topic: channel.id for channel in catalogue.CHANNELS if channel.id is not None} == {
        "balances": "balance/{account_id}/{version}",
        "alerts": "alert/{account_id}/{version}",
        "handoffs": "handoff/{account_id}/{version}",
        "command_results": "result/{topic}/{partition}/{offset}",
        "dead_letters": "dead-letter/{topic}/{partition}/{offset}",
        "deliveries": "delivery/{delivery_id}/{attempts}/{state}",
    }
