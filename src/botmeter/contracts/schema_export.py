"""JSON Schema 2020-12 of every message, and an AsyncAPI 3 document of every topic, from the models and the topics.

Imported by `botmeter schemas export` and the tests only. The same models always give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pydantic import BaseModel

from botmeter.contracts import examples, inputs, journal, outputs
from botmeter.contracts.topics import Topic, Topics

Document = dict[str, Any]

#: The partitions of every topic by default (setting `BOTMETER_PARTITIONS`).
DEFAULT_PARTITIONS: Final = 12
ASYNCAPI_FILE: Final = "asyncapi.json"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_CONTRACT_VERSION: Final = "1.0.0"
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Message:
    """A message by its `type` on the wire, with the model that describes it and one example."""

    name: str
    model: type[BaseModel]
    example: Document


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic with its messages; `field` is its name in `Topics`, `key` says what its records' keys are."""

    field: str
    actions: tuple[Literal["send", "receive"], ...]
    description: str
    messages: tuple[Message, ...]


def _typed(models: Iterable[type[BaseModel]], found: Iterable[Document]) -> tuple[Message, ...]:
    """The messages of models that have a `type`, each with its example."""
    by_type = {example["type"]: example for example in found}
    named = ((get_args(model.model_fields["type"].annotation)[0], model) for model in models)
    return tuple(Message(name, model, by_type[name]) for name, model in named)


#: Every topic that carries messages of ours, but the dead letters, which carry whatever came in.
CHANNELS: Final = (
    Channel(
        "interactions",
        ("receive",),
        "Every interaction between end-users and bots.",
        (Message("interaction", inputs.InteractionMessage, examples.INTERACTION),),
    ),
    Channel(
        "commands",
        ("receive",),
        "What the billing side asks for; each command is answered in the command results.",
        _typed(journal.members(inputs.CommandMessage), examples.COMMANDS),
    ),
    Channel(
        "journal",
        ("send", "receive"),
        "Every change of every account; the truth that all else follows from.",
        _typed(journal.JOURNAL, examples.JOURNAL),
    ),
    Channel(
        "balances",
        ("send",),
        "The latest balance of each account.",
        _typed([outputs.Balance], [examples.BALANCE]),
    ),
    Channel(
        "alerts",
        ("send",),
        "Thresholds reached and allowances used up, each told once.",
        _typed([outputs.ThresholdReachedAlert, outputs.SessionsExhaustedAlert], examples.ALERTS),
    ),
    Channel(
        "handoffs",
        ("send",),
        "Chats that go to the agents, and bots that stand still or go on.",
        _typed([outputs.ChatHandedOffMessage, outputs.BotSuspended, outputs.BotResumed], examples.HANDOFFS),
    ),
    Channel(
        "command_results",
        ("send",),
        "The answer to each command.",
        _typed([outputs.Accepted, outputs.Rejected], examples.RESULTS),
    ),
    Channel(
        "snapshots",
        ("send", "receive"),
        "Internal: accounts as they were, to restore from.",
        _typed([outputs.Snapshot], [examples.SNAPSHOT]),
    ),
)


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


def _path(channel: Channel, message: Message) -> str:
    return f"{channel.field.replace('_', '-')}/{message.name}.json"


def _schema(channel: Channel, message: Message) -> Document:
    head = {
        "$schema": _DIALECT,
        "$id": f"urn:botmeter:{channel.field.replace('_', '-')}:{message.name}:v1",
        "title": message.name,
    }
    body = _plain_schema(message.model)
    return {**head, "description": body.pop("description"), "examples": [message.example], **body}


def _plain_schema(model: type[BaseModel]) -> Document:
    """The model's schema without the titles that only repeat the names."""
    schema: Document = _untitled(model.model_json_schema(by_alias=True))
    schema["description"] = " ".join(schema["description"].split())
    return schema


def _untitled(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if isinstance(schema, dict):
        return {key: _untitled(value) for key, value in schema.items() if key != "title" or not isinstance(value, str)}
    return schema


# --- AsyncAPI --------------------------------------------------------------------------------------------------------


def asyncapi(topics: Topics) -> Document:
    """The AsyncAPI 3 document of these topics; payloads refer to the schema files beside it."""
    channels = {channel.field: _channel(channel, getattr(topics, channel.field)) for channel in CHANNELS}
    channels["dead_letters"] = _dead_letters_channel(topics.dead_letters)
    operations = {
        f"{action}_{channel.field}": _operation(action, channel.field, [message.name for message in channel.messages])
        for channel in CHANNELS
        for action in channel.actions
    }
    operations["send_dead_letters"] = _operation("send", "dead_letters", ["dead_letter"])
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
                "output_headers": _plain_schema(outputs.OutputHeaders),
                "dead_letter_headers": _plain_schema(outputs.DeadLetterHeaders),
            },
        },
    }


def _channel(channel: Channel, topic: Topic) -> Document:
    messages = {
        message.name: {"$ref": f"#/components/messages/{_component(channel, message)}"} for message in channel.messages
    }
    return _topic(topic, channel.description, messages)


def _dead_letters_channel(topic: Topic) -> Document:
    description = "Records that could not be taken: the original key, value and headers, and the reason."
    return _topic(topic, description, {"dead_letter": {"$ref": "#/components/messages/dead_letter"}})


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


def _component(channel: Channel, message: Message) -> str:
    return f"{channel.field}.{message.name}"


def _messages() -> Iterator[tuple[str, Document]]:
    for channel in CHANNELS:
        for message in channel.messages:
            yield _component(channel, message), _message(channel, message)
    yield (
        "dead_letter",
        {
            "name": "dead_letter",
            "contentType": "application/octet-stream",
            "headers": {"$ref": "#/components/schemas/dead_letter_headers"},
            "payload": {"description": "The original value, whatever it is; cut when it is too large for the topic."},
            "bindings": _key_binding(),
        },
    )


def _message(channel: Channel, message: Message) -> Document:
    described: Document = {
        "name": message.name,
        "contentType": _JSON,
        "payload": {"$ref": f"./{_path(channel, message)}"},
        "bindings": _key_binding(),
        "examples": [{"payload": message.example}],
    }
    if "send" in channel.actions:
        described["headers"] = {"$ref": "#/components/schemas/output_headers"}
    return described


def _key_binding() -> Document:
    return {"kafka": {"key": {"$ref": "#/components/schemas/account_id"}, "bindingVersion": "0.5.0"}}
