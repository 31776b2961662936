"""Follows the topic of Rasa's event broker and publishes interactions.

    python samples/rasa.py RASA_BROKER:9092 rasa_core_events BOTMETER_BROKER:9092 ACCOUNT BOT

Reads both forms of events: the flat ones of Rasa Open Source and Pro (`event`, `sender_id`), and Mantle's (one payload
key, such as `user`, beside `conversation_id` and `event_id`). A conversation belongs to the bot until it is handed to a
person, by an action with one of `HANDOFF_ACTIONS` or by `pause`; `resume` or a new session returns it.

The offset in Rasa's topic is committed after the brokers have the interaction, and ids are derived from the event, so
an event that is read twice after a crash changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, Final

from confluent_kafka import Consumer

from botmeter.client import Client, Connection, Place, as_interaction
from botmeter.contracts.inputs import InteractionMessage

#: Names of custom actions that hand a conversation to a person; adapt them to your bot.
HANDOFF_ACTIONS: Final = frozenset({"action_human_handoff", "action_handoff"})
_SPEAKERS: Final = {"user": "end_user", "bot": "bot"}


class Rasa:
    """Turns Rasa's events into interactions; remembers which conversations a person has taken over."""

    def __init__(self, account_id: str, bot_id: str) -> None:
        """`account_id` and `bot_id` are the assistant's account and bot in botmeter."""
        self._account_id, self._bot_id = account_id, bot_id
        self._with_people: set[str] = set()

    def interaction_of(self, event: Mapping[str, Any]) -> InteractionMessage | None:
        """Returns the interaction of an event, None for an event of another kind. Raises InvalidMessage."""
        conversation = event.get("conversation_id") or event.get("sender_id")
        kind, own = _kind_of(event)
        if (kind == "action" and own.get("name") in HANDOFF_ACTIONS) or kind == "pause":
            self._with_people.add(str(conversation))
        elif kind in {"resume", "session_started"}:
            self._with_people.discard(str(conversation))
        if kind not in _SPEAKERS:
            return None
        return as_interaction(
            {
                "event_id": _id_of(event, own, kind),
                "account_id": self._account_id,
                "end_user_id": event.get("user_id") or event.get("sender_id") or conversation,
                "conversation_id": conversation,
                "bot_id": None if str(conversation) in self._with_people else self._bot_id,
                "widget": "conversations",
                "actor": _SPEAKERS[kind],
                "occurred_at": _rfc3339(event.get("timestamp")),
            }
        )


def _kind_of(event: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Returns the kind of an event and its fields: those of a flat event itself, or the object of a Mantle event."""
    if "event" in event:
        return str(event["event"]), event
    for kind in (*_SPEAKERS, "action", "pause", "resume", "session_started"):
        if isinstance(event.get(kind), Mapping):
            return kind, event[kind]
    return "", {}


def _id_of(event: Mapping[str, Any], own: Mapping[str, Any], kind: str) -> str:
    """Returns Rasa's own id where there is one; flat bot events have none, so theirs is a hash of their content."""
    known = event.get("event_id") or own.get("message_id")
    if known:
        return str(known)
    content = json.dumps([event.get("sender_id"), kind, event.get("timestamp"), own.get("text")])
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _rfc3339(timestamp: object) -> object:
    """Converts seconds since 1970 to RFC 3339, which Mantle's events have already."""
    if isinstance(timestamp, int | float):
        return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds")
    return timestamp


def follow(consumer: Consumer, rasa: Rasa, client: Client, events: float = float("inf")) -> None:
    """Publishes the interactions of the events, and commits after each batch; ends after `events` events."""
    handled = 0
    while handled < events:
        batch = [record for record in consumer.consume(500, timeout=0.2) if record.error() is None]
        published: list[Future[Place]] = []
        for record in batch:
            interaction = rasa.interaction_of(json.loads(record.value() or b"{}"))
            if interaction is not None:
                published.append(client.publish_soon(interaction))
        for place in published:
            place.result()
        if batch:
            consumer.commit(asynchronous=False)
        handled += len(batch)


def consumer_of(bootstrap_servers: str, topic: str) -> Consumer:
    """Returns a consumer of Rasa's topic without automatic commits."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "botmeter-rasa",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    return consumer


def main(rasa_servers: str, topic: str, botmeter_servers: str, account_id: str, bot_id: str) -> None:
    """Follows until Ctrl-C."""
    with Client(Connection(botmeter_servers)) as client:
        follow(consumer_of(rasa_servers, topic), Rasa(account_id, bot_id), client)


if __name__ == "__main__":
    main(*sys.argv[1:])
