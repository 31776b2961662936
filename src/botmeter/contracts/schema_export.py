"""JSON Schema 2020-12 of every message, and an AsyncAPI 3 document of every topic, from the models and the topics.

Imported by `botmeter schemas export` and the tests only. The same models always give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from botmeter.contracts import catalogue, headers
from botmeter.contracts.catalogue import Channel, Message
from botmeter.contracts.topics import Topic, Topics

AnyChannel = Channel[Any, Any]
Document = dict[str, Any]

#: The partitions of every topic by default (setting `BOTMETER_PARTITIONS`).
DEFAULT_PARTITIONS: Final = 12
ASYNCAPI_FILE: Final = "asyncapi.json"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_CONTRACT_VERSION: Final = "1.0.0"
_JSON: Final = "application/json"


#: Every topic whose values are messages of ours: all but the dead letters, which carry whatever came in.
CHANNELS: Final = tuple(channel for channel in catalogue.CHANNELS if channel is not catalogue.DEAD_LETTERS)


def export(directory: Path) -> list[Path]:
    """Writes all files below `directory`, which is made if need be; gives their paths in order."""
    written = []
    for name, document in documents():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
        written.append(path)
    return written


def documents() -> Iterator[tuple[str, Document]]:
    """Every file's path below the directory and what it holds."""
    for channel in CHANNELS:
        for message in channel.messages:
            yield _path(channel, message), _schema(channel, message)
    yield ASYNCAPI_FILE, asyncapi(Topics.named())


# --- JSON Schema -----------------------------------------------------------------------------------------------------


def _path(channel: AnyChannel, message: Message) -> str:
    return f"{channel.topic.replace('_', '-')}/{message.type}.json"


def _schema(channel: AnyChannel, message: Message) -> Document:
    head = {
        "$schema": _DIALECT,
        "$id": f"urn:botmeter:{channel.topic.replace('_', '-')}:{message.type}:v1",
        "title": message.type,
    }
    body = _plain_schema(message.model)
    return {**head, "description": body.pop("description"), "examples": [message.example], **body}


def _plain_schema(model: type[BaseModel]) -> Document:
    """The model's schema without the titles that only repeat the names."""
    schema: Document = _untitled(model.model_json_schema(by_alias=True))
    schema["description"] = " ".join(schema["description"].split())
    if "type" in schema["properties"]:
        schema["properties"]["type"]["description"] = "Which message this is; one of a type not known is to be ignored."
    for described in schema["properties"].values():
        if "x-since" in described:
            _absent_or_present(described)
    return schema


def _absent_or_present(described: Document) -> None:
    """Of a field that older records lack: it is not there, where the model says None, and has a value where it is."""
    del described["default"]
    if not described.pop("x-nullable") and "anyOf" in described:
        [present] = (option for option in described.pop("anyOf") if option != {"type": "null"})
        described.update(present)


def _untitled(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if isinstance(schema, dict):
        return {key: _untitled(value) for key, value in schema.items() if key != "title" or not isinstance(value, str)}
    return schema


# --- AsyncAPI --------------------------------------------------------------------------------------------------------


def asyncapi(topics: Topics) -> Document:
    """The AsyncAPI 3 document of these topics; payloads refer to the schema files beside it."""
    channels = {channel.topic: _channel(channel, channel.topic_of(topics)) for channel in catalogue.CHANNELS}
    operations = {
        f"{action}_{channel.topic}": _operation(action, channel.topic, [message.type for message in channel.messages])
        for channel in catalogue.CHANNELS
        for action in channel.actions
    }
    return {
        "asyncapi": "3.0.0",
        "id": "urn:botmeter",
        "info": {
            "title": "botmeter",
            "version": _CONTRACT_VERSION,
            "description": "Meters bot sessions: interactions and commands in; balances, alerts and handoffs out. "
            "Every record's key is the account_id in UTF-8; consumers read with isolation.level=read_committed.",
        },
        "defaultContentType": _JSON,
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": dict(_messages()),
            "schemas": {
                "account_id": {"type": "string", "description": "The account_id, in UTF-8."},
                "output_headers": _plain_schema(headers.OutputHeaders),
                "trace_headers": _plain_schema(headers.TraceHeaders),
                "dead_letter_headers": _plain_schema(headers.DeadLetterHeaders),
            },
        },
    }


def _channel(channel: AnyChannel, topic: Topic) -> Document:
    messages = {
        message.type: {"$ref": f"#/components/messages/{_component(channel, message)}"} for message in channel.messages
    }
    return _topic(topic, channel.description, messages)


def _topic(topic: Topic, description: str, messages: Document) -> Document:
    binding = {
        "topic": topic.name,
        "partitions": DEFAULT_PARTITIONS,
        "topicConfiguration": {key: _configured(key, value) for key, value in topic.config.items()},
        "bindingVersion": "0.5.0",
    }
    return {"address": topic.name, "description": description, "messages": messages, "bindings": {"kafka": binding}}


def _configured(key: str, value: str) -> Any:
    """A topic's option as the binding types it."""
    if key == "cleanup.policy":
        return value.split(",")
    return int(value) if value.lstrip("-").isdigit() else value


def _operation(action: str, channel: str, messages: list[str]) -> Document:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _component(channel: AnyChannel, message: Message) -> str:
    return f"{channel.topic}.{message.type}"


def _messages() -> Iterator[tuple[str, Document]]:
    for channel in catalogue.CHANNELS:
        for message in channel.messages:
            yield _component(channel, message), _message(channel, message)


def _message(channel: AnyChannel, message: Message) -> Document:
    described: Document = {"name": message.type, "contentType": _JSON, "bindings": _key_binding()}
    if channel is catalogue.DEAD_LETTERS:
        described["contentType"] = "application/octet-stream"
        described["payload"] = {
            "description": "The original value, whatever it is; cut when it is too large for the topic."
        }
        described["examples"] = [{"headers": message.example}]
    else:
        described["payload"] = {"$ref": f"./{_path(channel, message)}"}
        described["examples"] = [{"payload": message.example}]
    if "send" in channel.actions:
        described["headers"] = {"$ref": f"#/components/schemas/{_headers(channel)}"}
    return described


def _headers(channel: AnyChannel) -> str:
    if channel is catalogue.DEAD_LETTERS:
        return "dead_letter_headers"
    return "trace_headers" if channel.id is None else "output_headers"


def _key_binding() -> Document:
    return {"kafka": {"key": {"$ref": "#/components/schemas/account_id"}, "bindingVersion": "0.5.0"}}
