"""A chat platform's gate: decides whether the bot may answer a message, or agents must.

    python samples/gate.py localhost:9092 acme

Reads `end-user conversation` pairs from the standard input, one per line, and prints who answers. While the account is
active, the answer comes from a table of balances in memory. Otherwise end-users with an open session stay with the bot
(rule S9), so the gate publishes the message and waits a moment for its handoff: without a handoff, the bot may answer.
For an exact answer, use the entitlement API of `botmeter web`.
"""

from __future__ import annotations

import asyncio
import sys
from types import TracebackType
from typing import Final, Literal, Self

from botmeter.client import AsyncClient, BalanceTable, Connection, handoffs, interaction

Answer = Literal["bot", "agents"]

#: How long to wait for a handoff; a running worker decides within a tenth of it.
HANDOFF_TIMEOUT_S: Final = 1.0


class Gate:
    """Call it for each message, before the bot or an agent answers. Used in an `async with`, by one event loop."""

    def __init__(self, connection: Connection, bot_id: str) -> None:
        """`bot_id` is the bot that would answer."""
        self._connection, self._bot_id = connection, bot_id
        self._with_agents: set[tuple[str, str]] = set()
        self._waiting: dict[tuple[str, str], asyncio.Event] = {}

    async def __aenter__(self) -> Self:
        self._client = AsyncClient(self._connection)
        self._balances = await asyncio.to_thread(BalanceTable(self._connection).__enter__)
        # Each gate must see every handoff, so each has a group of its own; no caller waits for older handoffs.
        self._handoffs = handoffs(self._connection, group=f"gate-{id(self)}", start="latest")
        self._following = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._handoffs.stop()
        await self._following
        await asyncio.to_thread(self._balances.__exit__, kind, error, at)
        await self._client.close()

    async def ask(self, account_id: str, end_user_id: str, conversation_id: str) -> Answer:
        """Publishes an end-user's message as an interaction, so that it is metered; returns who answers it."""
        chat = (account_id, conversation_id)
        if chat in self._with_agents:
            await self._publish(account_id, end_user_id, conversation_id, bot_id=None)
            return "agents"
        balance = self._balances.get(account_id)
        if balance is not None and balance.status == "active":
            await self._publish(account_id, end_user_id, conversation_id, self._bot_id)
            return "bot"
        handed_off = self._waiting.setdefault(chat, asyncio.Event())
        await self._publish(account_id, end_user_id, conversation_id, self._bot_id)
        try:
            async with asyncio.timeout(HANDOFF_TIMEOUT_S):
                await handed_off.wait()
        except TimeoutError:
            return "bot"  # the end-user has an open session
        finally:
            self._waiting.pop(chat, None)
        return "agents"

    async def _publish(self, account_id: str, end_user_id: str, conversation_id: str, bot_id: str | None) -> None:
        message = interaction(account_id, end_user_id=end_user_id, conversation_id=conversation_id, bot_id=bot_id)
        await self._client.publish(message)

    async def _follow(self) -> None:
        async with self._handoffs:
            async for received in self._handoffs:
                message = received.message
                if message.type == "chat_handed_off":
                    chat = (message.account_id, message.conversation_id)
                    self._with_agents.add(chat)
                    if chat in self._waiting:
                        self._waiting[chat].set()


async def main(bootstrap_servers: str, account_id: str) -> None:
    """Answers until the standard input ends."""
    async with Gate(Connection(bootstrap_servers), bot_id="b-1") as gate:
        while line := (await asyncio.to_thread(sys.stdin.readline)).split():
            end_user_id, conversation_id = line
            answer = await gate.ask(account_id, end_user_id, conversation_id)
            print(f"{end_user_id} in {conversation_id}: {answer}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
