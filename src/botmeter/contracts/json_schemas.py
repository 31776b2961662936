"""Generates the JSON Schema 2020-12 of every message from its model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel

from botmeter.contracts import delivery, headers
from botmeter.contracts.catalogue import Channel, Message
from botmeter.domain import account, announcements, commands, contacts, cycles, events, prices, sessions

AnyChannel = Channel[Any, Any]
Document = dict[str, Any]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
#: Names of enumerations, so that types generated from the schemas have these names too.
_NAMES: Final[Mapping[tuple[str, ...], str]] = {
    get_args(values): name
    for name, values in {
        "AccountStatus": account.Status,
        "Actor": sessions.Actor,
        "AlertKind": contacts.AlertKind,
        "AvailableReason": events.AvailableReason,
        "BillingCycle": cycles.BillingCycle,
        "DeliveryChannel": delivery.DeliveryChannel,
        "DeliveryState": delivery.DeliveryState,
        "CommandOutcome": events.CommandOutcome,
        "DeadLetterReason": headers.DeadLetterReason,
        "Exhaustion": prices.Exhaustion,
        "ExhaustionReason": events.ExhaustionReason,
        "Plan": commands.Plan,
        "Pool": events.Pool,
        "PurchaseTrigger": events.PurchaseTrigger,
        "RefusalReason": commands.Refusal,
        "SuspensionReason": announcements.SuspensionReason,
        "Widget": sessions.Widget,
    }.items()
}


def path_of(channel: AnyChannel, message: Message) -> str:
    """Returns the path of a message's schema, below the directory of all schemas."""
    return f"{channel.topic.replace('_', '-')}/{message.type}.json"


def schema_of(channel: AnyChannel, message: Message) -> Document:
    """Returns the schema of a message's value."""
    head = {
        "$schema": _DIALECT,
        "$id": f"urn:botmeter:{channel.topic.replace('_', '-')}:{message.type}:v1",
        "title": message.name,
    }
    body = plain_schema(message.model)
    description = f"{body.pop('description')} {channel.reading}"
    return {**head, "description": description, "examples": [message.example], **body}


def plain_schema(model: type[BaseModel]) -> Document:
    """Returns the model's schema; named definitions and enumerations have their name as title."""
    schema: Document = changed(model.model_json_schema(by_alias=True), _titled)
    schema["description"] = " ".join(schema["description"].split())
    for name, definition in schema.get("$defs", {}).items():
        definition["title"] = name
    if "type" in schema["properties"]:
        schema["properties"]["type"]["description"] = "Which message this is. Ignore a message of an unknown type."
    for described in schema["properties"].values():
        if "x-since" in described:
            _remove_default_of_missing(described)
    return schema


def changed(schema: Any, change: Callable[[Document], Document]) -> Any:
    """Returns the schema with every object in it changed, inner ones first."""
    if isinstance(schema, list):
        return [changed(item, change) for item in schema]
    if isinstance(schema, dict):
        return change({key: changed(value, change) for key, value in schema.items()})
    return schema


def _titled(schema: Document) -> Document:
    """Sets the name of an enumeration as title, and drops a title that repeats the name of the field."""
    kept = {key: value for key, value in schema.items() if key != "title" or not isinstance(value, str)}
    name = _NAMES.get(tuple(schema["enum"])) if isinstance(schema.get("enum"), list) else None
    return kept if name is None else {"title": name, **kept}


def _remove_default_of_missing(described: Document) -> None:
    """For a field that older records lack: the model's None means that it is missing, not that it is null."""
    del described["default"]
    if not described.pop("x-nullable") and "anyOf" in described:
        [present] = (option for option in described.pop("anyOf") if option != {"type": "null"})
        described.update(present)
