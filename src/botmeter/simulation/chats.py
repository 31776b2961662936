"""Conversations, message by message: who acts in which order, and the records that the chat platform publishes."""

from __future__ import annotations

from random import Random
from typing import Final

#: Who acts: `e` an end-user to a bot, `b` the bot, `u` an end-user to an agent, `a` the agent, `s` the system.
_ACTORS: Final = {"e": "end_user", "b": "bot", "u": "end_user", "a": "agent", "s": "system"}

_BOT_CHATS: Final = ("eb", "ebeb", "ebeebeb", "ebebebebe", "ebebsaua", "ebesauaua")
_AGENT_CHATS: Final = ("ua", "uauau", "suauaua")
_SELF_SERVICE: Final = ("eb", "ebeb", "ebebebeb")
_PREVIEWS: Final = ("ebeb", "ebebebebeb")


class Chat:
    """One conversation in progress."""

    __slots__ = ("_parts", "_place", "_script", "key")

    def __init__(
        self,
        account_id: str,
        end_user_id: str,
        conversation_id: str,
        bot_id: str,
        widget: str,
        script: str,
        preview: str = "",
    ) -> None:
        """`preview` is JSON: `true`, `false`, or empty, as most senders leave it out."""
        self.key = account_id.encode()
        self._script = script
        self._place = 0
        ids = (
            f'"account_id":"{account_id}","end_user_id":"{end_user_id}","conversation_id":"{conversation_id}",'
            f'"widget":"{widget}",' + (f'"preview":{preview},' if preview else "")
        )
        # Prepared once per actor, since a chat has many messages and making records is most of the simulation's work.
        bots = {"e": f'"bot_id":"{bot_id}",', "b": f'"bot_id":"{bot_id}",', "u": '"bot_id":null,'}
        self._parts = {who: f'{ids}"actor":"{_ACTORS[who]}",{bots.get(who, "")}' for who in set(script)}

    @property
    def is_over(self) -> bool:
        """Whether the chat has no more messages."""
        return self._place == len(self._script)

    def next_message(self, event_id: str, occurred_at: str) -> bytes:
        """Returns the value of the next interaction's record; `occurred_at` in its wire format."""
        who = self._script[self._place]
        self._place += 1
        return f'{{"event_id":"{event_id}",{self._parts[who]}"occurred_at":"{occurred_at}"}}'.encode()


#: Shares of all chats; the rest are with a bot, in the conversations widget.
_PREVIEW_SHARE: Final = 0.03
_AGENT_ONLY_SHARE: Final = 0.08
_SELF_SERVICE_SHARE: Final = 0.22


def new_chat(random: Random, account_id: str, end_user_id: str, editor_id: str, conversation_id: str) -> Chat:
    """Returns a chat of a random kind; `editor_id` is the end-user of a preview."""
    chance = random.random()
    bot_id = f"{account_id}-bot-{int(random.random() * 3) + 1}"
    if chance < _PREVIEW_SHARE:
        script = random.choice(_PREVIEWS)
        return Chat(account_id, editor_id, conversation_id, bot_id, "conversations", script, "true")
    if chance < _PREVIEW_SHARE + _AGENT_ONLY_SHARE:
        script = random.choice(_AGENT_CHATS)
        return Chat(account_id, end_user_id, conversation_id, bot_id, "conversations", script, "false")
    if chance < _PREVIEW_SHARE + _AGENT_ONLY_SHARE + _SELF_SERVICE_SHARE:
        return Chat(account_id, end_user_id, conversation_id, bot_id, "self_service", random.choice(_SELF_SERVICE))
    return Chat(account_id, end_user_id, conversation_id, bot_id, "conversations", random.choice(_BOT_CHATS))
