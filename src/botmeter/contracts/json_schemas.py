"""JSON Schema 2020-12 of every message, from its model."""

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
#: Sets of values that have a name, so that types generated from schemas have it too.
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
    """Where the schema of a message is, below the directory of all schemas."""
    return f"{channel.topic.replace('_', '-')}/{message.type}.json"


def schema_of(channel: AnyChannel, message: Message) -> Document:
    """The schema of a message's value."""
    head = {
        "$schema": _DIALECT,
        "$id": f"urn:botmeter:{channel.topic.replace('_', '-')}:{message.type}:v1",
        "title": message.name,
    }
    body = plain_schema(message.model)
    description = f"{body.pop('description')} {channel.reading}"
    return {**head, "description": description, "examples": [message.example], **body}


def plain_schema(model: type[BaseModel]) -> Document:
    """The model's schema; what has a name of its own has it as its title."""
    schema: Document = changed(model.model_json_schema(by_alias=True), _titled)
    schema["description"] = " ".join(schema["description"].split())
    for name, definition in schema.get("$defs", {}).items():
        definition["title"] = name
    if "type" in schema["properties"]:
        schema["properties"]["type"]["description"] = "Which message this is; one of a type not known is to be ignored."
    for described in schema["properties"].values():
        if "x-since" in described:
            _leave_out_that_it_was_missing(described)
    return schema


def changed(schema: Any, change: Callable[[Document], Document]) -> Any:
    """The schema with every object in it changed, the inner ones first."""
    if isinstance(schema, list):
        return [changed(item, change) for item in schema]
    if isinstance(schema, dict):
        return change({key: changed(value, change) for key, value in schema.items()})
    return schema


def _titled(schema: Document) -> Document:
    """With the name of its values for a title, and without one that repeats the name of its field."""
    kept = {key: value for key, value in schema.items() if key != "title" or not isinstance(value, str)}
    name = _NAMES.get(tuple(schema["enum"])) if isinstance(schema.get("enum"), list) else None
    return kept if name is None else {"title": name, **kept}


def _leave_out_that_it_was_missing(described: Document) -> None:
    """Of a field that older records lack: where the model says None it is not there, and never null for that."""
    del described["default"]
    if not described.pop("x-nullable") and "anyOf" in described:
        [present] = (option for option in described.pop("anyOf") if option != {"type": "null"})
        described.update(present)
