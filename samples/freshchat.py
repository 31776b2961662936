"""Receives Freshchat's webhooks and publishes them as interactions.

    python samples/freshchat.py localhost:9092 8080 freshchat-public-key.pem BOT_AGENT_ID...

Freshchat posts each event to one address, and again when it gets no 2xx. So the answer is 200 once the brokers have the
interaction, and the message's id is the `event_id`: a repeated event changes nothing.

Freshchat has users, agents and the system; a bot appears as an agent. So the command line names the agents that are
bots, and the program remembers each conversation's bot from its assignments. Before the first assignment, a
conversation belongs to the first bot.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from botmeter.client import Client, Connection, InvalidMessage, NotDelivered, as_interaction
from botmeter.contracts.inputs import InteractionMessage

_BODY_BYTES_MAX: Final = 1_000_000


class Freshchat:
    """Turns webhooks into interactions; remembers the bot, if any, of each conversation."""

    def __init__(self, bots: Sequence[str]) -> None:
        """`bots` are the agent ids of bots."""
        self._bots = frozenset(bots)
        self._first_bot = bots[0] if bots else None
        self._assigned: dict[str, str | None] = {}

    def interaction_of(self, payload: Mapping[str, Any]) -> InteractionMessage | None:
        """Returns the interaction of a webhook, None for an event of another kind.

        Raises InvalidMessage when a message lacks a field that an interaction needs.
        """
        data = payload.get("data") or {}
        match payload.get("action"):
            case "message_create":
                return self._message(data.get("message") or {})
            case "conversation_assignment":
                self._assign(data.get("assignment") or {})
            case "conversation_resolution":
                conversation = (data.get("resolve") or {}).get("conversation") or {}
                self._assigned.pop(str(conversation.get("conversation_id")), None)
        return None

    def _message(self, message: Mapping[str, Any]) -> InteractionMessage | None:
        if message.get("message_type", "normal") != "normal" or message.get("botsPrivateNote"):
            return None  # a private note of agents
        conversation_id, actor_id = message.get("conversation_id"), message.get("actor_id") or message.get("user_id")
        return as_interaction(
            {
                "event_id": message.get("id"),
                "account_id": message.get("app_id"),
                "end_user_id": message.get("user_id"),
                "conversation_id": conversation_id,
                "bot_id": self._assigned.get(str(conversation_id), self._first_bot),
                "widget": "conversations",
                "actor": self._actor(message.get("actor_type"), actor_id),
                "occurred_at": message.get("created_time"),
            }
        )

    def _actor(self, actor_type: object, actor_id: object) -> str:
        if actor_id in self._bots:
            return "bot"
        return {"user": "end_user", "agent": "agent"}.get(str(actor_type), "system")

    def _assign(self, assignment: Mapping[str, Any]) -> None:
        conversation = assignment.get("conversation") or {}
        agent = conversation.get("assigned_agent_id") or assignment.get("to_agent_id")
        self._assigned[str(conversation.get("conversation_id"))] = agent if agent in self._bots else None


def is_signed(body: bytes, signature: str, key: rsa.RSAPublicKey) -> bool:
    """Returns whether the X-Freshchat-Signature (base64, RSA with SHA-256 over the body) was made with the key."""
    try:
        key.verify(base64.b64decode(signature, validate=True), body, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def server(port: int, key: rsa.RSAPublicKey, freshchat: Freshchat, client: Client) -> ThreadingHTTPServer:
    """Returns an HTTP server for the webhooks; the caller starts it."""

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(min(int(self.headers.get("content-length", 0)), _BODY_BYTES_MAX))
            self.send_response(self._handle(body))
            self.send_header("content-length", "0")
            self.end_headers()

        def _handle(self, body: bytes) -> int:
            """Publishes the interaction; returns the status. A repeated request can succeed only after 503."""
            if not is_signed(body, self.headers.get("x-freshchat-signature", ""), key):
                return 401
            try:
                interaction = freshchat.interaction_of(json.loads(body))
                if interaction is not None:
                    client.publish(interaction)
            except (InvalidMessage, ValueError, AttributeError) as error:
                print(f"refused: {error}", file=sys.stderr)
                return 400
            except NotDelivered:
                return 503
            return 200

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the library
            """Requests are not logged."""

    return ThreadingHTTPServer(("", port), Webhook)


def main(bootstrap_servers: str, port: str, key_file: str, *bots: str) -> None:
    """Serves until Ctrl-C."""
    key = serialization.load_pem_public_key(Path(key_file).read_bytes())
    if not isinstance(key, rsa.RSAPublicKey):
        raise SystemExit(f"{key_file} contains no RSA key")
    with Client(Connection(bootstrap_servers)) as client:
        server(int(port), key, Freshchat(bots), client).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
