"""AsyncAPI 3 documents of every topic: one that refers to the schema files beside it, one that includes them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from botmeter.contracts import catalogue, headers
from botmeter.contracts.catalogue import Message
from botmeter.contracts.json_schemas import AnyChannel, Document, changed, path_of, plain_schema, schema_of
from botmeter.contracts.topics import Topic, Topics

#: The partitions of every topic by default (setting `BOTMETER_PARTITIONS`).
DEFAULT_PARTITIONS: Final = 12
_CONTRACT_VERSION: Final = "1.1.0"
_JSON: Final = "application/json"
_DESCRIPTION: Final = """Meters bot sessions: interactions and commands in; balances, alerts and handoffs out.

- **Producers**: every record's key is the account_id in UTF-8. Its partition is the one that Kafka's default \
partitioner, murmur2, gives the key: Java clients do so by themselves; clients on librdkafka (Python, Go, .NET, Node) \
need `partitioner=murmur2_random`. A record on another partition becomes a dead letter, `wrong_partition`.
- **Consumers** read with `isolation.level=read_committed`, ignore fields and types they do not know, and remember \
`ce_id`: the same message read again has the same.
- **Order**: `version` counts the changes of an account: 1, 2, 3, ... It orders its messages across all topics.
- **Moments** are RFC 3339 in UTC with milliseconds. **Money** is in minor units of its currency.
"""


def asyncapi(topics: Topics) -> Document:
    """Returns the document whose payloads refer to the schema files beside it."""

    def payload(channel: AnyChannel, message: Message) -> Document:
        return {"$ref": f"./{path_of(channel, message)}"}

    return _document(topics, payload, {})


def bundled_asyncapi(topics: Topics) -> Document:
    """Returns the same document with all schemas included by name, for tools that read a single file."""
    schemas: Document = {}
    for channel in catalogue.CHANNELS:
        for message in channel.messages:
            if channel is not catalogue.DEAD_LETTERS:
                schema = schema_of(channel, message)
                schemas[message.name] = schema
                schemas.update(schema.pop("$defs", {}))

    def payload(_: AnyChannel, message: Message) -> Document:
        return {"$ref": f"#/components/schemas/{message.name}"}

    def inside(schema: Document) -> Document:
        """Converts to AsyncAPI's dialect, draft 7, which ignores everything beside a reference."""
        kept = {key: value for key, value in schema.items() if key not in {"$schema", "$id"}}
        if not isinstance(kept.get("$ref"), str):
            return kept
        name = kept.pop("$ref").removeprefix("#/$defs/")
        return {**schemas[name], **kept} if kept else {"$ref": f"#/components/schemas/{name}"}

    return _document(topics, payload, {name: changed(schemas[name], inside) for name in sorted(schemas)})


def _document(topics: Topics, payload: Callable[[AnyChannel, Message], Document], schemas: Document) -> Document:
    return {
        "asyncapi": "3.0.0",
        "id": "urn:botmeter",
        "info": {"title": "botmeter", "version": _CONTRACT_VERSION, "description": _DESCRIPTION},
        "defaultContentType": _JSON,
        "channels": {channel.topic: _channel(channel, channel.topic_of(topics)) for channel in catalogue.CHANNELS},
        "operations": {
            f"{action}_{channel.topic}": _operation(action, channel)
            for channel in catalogue.CHANNELS
            for action in channel.actions
        },
        "components": {
            "messages": dict(_messages(payload)),
            "schemas": {
                "account_id": {"title": "AccountId", "type": "string", "description": "The account_id, in UTF-8."},
                "output_headers": {"title": "OutputHeaders", **plain_schema(headers.OutputHeaders)},
                "trace_headers": {"title": "TraceHeaders", **plain_schema(headers.TraceHeaders)},
                "dead_letter_headers": {"title": "DeadLetterHeaders", **plain_schema(headers.DeadLetterHeaders)},
                **schemas,
            },
        },
    }


def _channel(channel: AnyChannel, topic: Topic) -> Document:
    binding = {
        "topic": topic.name,
        "partitions": DEFAULT_PARTITIONS,
        "topicConfiguration": {key: _configured(key, value) for key, value in topic.config.items()},
        "bindingVersion": "0.5.0",
    }
    return {
        "address": topic.name,
        "description": f"{channel.description} {channel.reading}",
        "messages": {
            message.type: {"$ref": f"#/components/messages/{_component(channel, message)}"}
            for message in channel.messages
        },
        "bindings": {"kafka": binding},
    }


def _configured(key: str, value: str) -> Any:
    """Returns a topic's option with the type that the binding requires."""
    if key == "cleanup.policy":
        return value.split(",")
    return int(value) if value.lstrip("-").isdigit() else value


def _operation(action: str, channel: AnyChannel) -> Document:
    operation = {"action": action, **_channel_reference(channel)}
    if channel.reply is not None:
        [answers] = (found for found in catalogue.CHANNELS if found.topic == channel.reply)
        operation["reply"] = _channel_reference(answers)
    return operation


def _channel_reference(channel: AnyChannel) -> Document:
    """Refers to the channel and its messages."""
    reference = f"#/channels/{channel.topic}"
    return {
        "channel": {"$ref": reference},
        "messages": [{"$ref": f"{reference}/messages/{message.type}"} for message in channel.messages],
    }


def _component(channel: AnyChannel, message: Message) -> str:
    return f"{channel.topic}.{message.type}"


def _messages(payload: Callable[[AnyChannel, Message], Document]) -> Iterator[tuple[str, Document]]:
    for channel in catalogue.CHANNELS:
        for message in channel.messages:
            yield _component(channel, message), _message(channel, message, payload)


def _message(channel: AnyChannel, message: Message, payload: Callable[[AnyChannel, Message], Document]) -> Document:
    summary = " ".join((message.model.__doc__ or "").split())
    described: Document = {
        "name": message.type,
        "title": message.name,
        "summary": summary,
        "description": f"{summary} {channel.reading}",
        "contentType": _JSON,
        "bindings": _key_binding() if channel.key == "account_id" else {},
    }
    if channel is catalogue.DEAD_LETTERS:
        described["contentType"] = "application/octet-stream"
        described["payload"] = {
            "title": "OriginalValue",
            "description": "The original value, whatever it is; cut when it is too large for the topic.",
        }
        described["examples"] = [{"headers": message.example}]
    else:
        described["payload"] = payload(channel, message)
        described["examples"] = [{"payload": message.example}]
    if channel.correlated_by is not None:
        described["correlationId"] = {
            "description": "Matches an answer to its command.",
            "location": f"$message.payload#/{channel.correlated_by}",
        }
    if "send" in channel.actions:
        described["headers"] = {"$ref": f"#/components/schemas/{_headers(channel)}"}
    return described


def _headers(channel: AnyChannel) -> str:
    if channel is catalogue.DEAD_LETTERS:
        return "dead_letter_headers"
    return "trace_headers" if channel.id is None else "output_headers"


def _key_binding() -> Document:
    return {"kafka": {"key": {"$ref": "#/components/schemas/account_id"}, "bindingVersion": "0.5.0"}}
