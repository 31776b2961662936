"""A routing service: hands chats to agents when sessions are used up, and lets the bot answer again.

    python samples/routing_service.py localhost:9092 ann ben

`Routing` knows who answers which chat; `main` feeds it from `botmeter.handoffs`. The ids of handled messages are stored
in a file, so that no chat is handed over twice, also after a restart.
"""

from __future__ import annotations

import itertools
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from botmeter.client import Connection, Handoff, SeenInFile, handoffs


class Routing:
    """Decides who answers: an agent the chats that were handed over, the bot the others unless it is suspended."""

    def __init__(self, agents: Sequence[str]) -> None:
        """Chats go to the agents in turn."""
        self._next_agent = itertools.cycle(agents)
        #: The agent of each chat that was handed over; the chat stays with the agent when the bot is resumed.
        self.agent_of: dict[tuple[str, str], str] = {}
        self.suspended: dict[str, str] = {}

    def take(self, message: Handoff) -> str:
        """Applies a message of the topic; returns a line that describes it."""
        account = message.account_id
        match message.type:
            case "chat_handed_off":
                chat = (account, message.conversation_id)
                agent = self.agent_of.setdefault(chat, next(self._next_agent))
                return f"{account}: chat {message.conversation_id} goes to {agent} ({message.reason})"
            case "bot_suspended":
                self.suspended[account] = message.reason
                return f"{account}: the bot is suspended ({message.reason})"
            case "bot_resumed":
                self.suspended.pop(account, None)
                return f"{account}: the bot is resumed ({message.reason})"

    def resolve(self, account_id: str, conversation_id: str) -> None:
        """Ends the agent's work on a chat; its next message may go to the bot."""
        self.agent_of.pop((account_id, conversation_id), None)


def main(bootstrap_servers: str, *agents: str) -> None:
    """Routes until Ctrl-C."""
    routing = Routing(agents or ("the next free agent",))
    seen = SeenInFile(Path("routing-seen.db"))
    with handoffs(Connection(bootstrap_servers), group="routing-service", seen=seen) as subscription:
        signal.signal(signal.SIGINT, lambda *_: subscription.stop())
        for received in subscription:
            print(routing.take(received.message), flush=True)
    seen.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
