"""The demo's story on the billing page: four customers in different situations. Pure.

Their past is in the previous two days, as far back as late interactions count (`S7`), so that the page's charts have
data from the start.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from botmeter.contracts.instants import rfc3339
from botmeter.domain.commands import Plan
from botmeter.domain.prices import DAY_MS, HOUR_MS, MINUTE_MS
from botmeter.simulation.chats import Chat
from botmeter.simulation.day import busyness, hour_of_day
from botmeter.simulation.records import SimulatedRecord, command_record

#: How far the past reaches back; late interactions count up to 48 hours.
_PAST_MS: Final = 44 * HOUR_MS
_STEP_MS: Final = 15 * MINUTE_MS
#: The age of the cycle of customers that do not renew in the demo.
_CYCLE_AGE_MS: Final = 12 * DAY_MS
#: When the renewing customer's cycle ends: this long after the traffic begins, or after this share of it.
_RENEWS_AFTER_S: Final = 20.0
_RENEWS_AFTER_SHARE: Final = 0.6
#: One of this many chats is in the self-service widget, or a preview.
_SELF_SERVICE_EVERY: Final = 7
_PREVIEW_EVERY: Final = 40
_BOTS: Final = ("greeter", "greeter", "greeter", "orders", "orders", "returns")


@dataclass(frozen=True, slots=True)
class Character:
    """One customer: its packs, sessions used before the demo, and the number of new end-users per second."""

    account_id: str
    plan: Plan
    time_zone: str
    packs: int
    used_before: int
    chats_per_s: float
    #: What happens to it, as the end of a sentence that starts with its name.
    fate: str


#: Its cycle ends during the demo.
RENEWING: Final = Character(
    "metro", "growth", "Europe/Berlin", 1, 870, 2.0, "renews: its billing cycle ends, and all sessions come back"
)
#: Runs out of sessions until the user buys it a pack on the page.
RUNNING_OUT: Final = Character(
    "harbor", "growth", "Europe/London", 0, 440, 10.0,
    "runs out after some seconds: agents answer its chats until you buy it a pack on the page",
)  # fmt: skip
CHARACTERS: Final = (
    Character("lumen", "pro", "America/New_York", 2, 360, 0.2, "is quiet"),
    Character("quartz", "growth", "Asia/Kolkata", 1, 796, 0.5, "is near its end: the mail about 80 % goes out"),
    RUNNING_OUT,
    RENEWING,
)
ACCOUNT_IDS: Final = tuple(each.account_id for each in CHARACTERS)


class Story:
    """Makes the story's commands and interactions as time passes."""

    def __init__(self, interactions_topic: str, commands_topic: str, seconds: float) -> None:
        """`seconds` is how long the traffic lasts; it may be infinite."""
        self._interactions, self._commands = interactions_topic, commands_topic
        self._renews_after_ms = int(min(_RENEWS_AFTER_S, seconds * _RENEWS_AFTER_SHARE) * 1000)
        self._chats = dict.fromkeys(ACCOUNT_IDS, 0)
        self._due = dict.fromkeys(ACCOUNT_IDS, 0)

    def opening(self, now_ms: int) -> list[SimulatedRecord]:
        """Returns the commands that open the accounts at `now_ms` (UTC ms), just before the traffic begins."""
        return [
            command_record(self._commands, each.account_id, f"story-{each.account_id}-{number}", "crm", fields)
            for each in CHARACTERS
            for number, fields in enumerate(_opening(each, self._anchor(each, now_ms)))
        ]

    def past(self, now_ms: int) -> list[SimulatedRecord]:
        """Returns the interactions of the two days before `now_ms` (UTC ms)."""
        return [
            self._first_message(each, moment)
            for each in CHARACTERS
            for moment in moments_before(now_ms, each.used_before, each.time_zone)
        ]

    def due(self, elapsed_s: float, now_ms: int) -> list[SimulatedRecord]:
        """Returns the interactions due since the last call; now is `elapsed_s` after the traffic began."""
        records = []
        for each in CHARACTERS:
            due = int(each.chats_per_s * elapsed_s)
            records += [self._first_message(each, now_ms) for _ in range(due - self._due[each.account_id])]
            self._due[each.account_id] = due
        return records

    def _anchor(self, character: Character, now_ms: int) -> int:
        return now_ms + self._renews_after_ms if character == RENEWING else now_ms - _CYCLE_AGE_MS

    def _first_message(self, character: Character, at: int) -> SimulatedRecord:
        """Returns the first interaction of a new end-user."""
        number = self._chats[character.account_id] = self._chats[character.account_id] + 1
        chat = Chat(
            character.account_id,
            end_user_id=f"guest-{number}",
            conversation_id=f"chat-{number}",
            bot_id=_BOTS[number % len(_BOTS)],
            widget="self_service" if number % _SELF_SERVICE_EVERY == 0 else "conversations",
            script="e",
            preview="true" if number % _PREVIEW_EVERY == 0 else "false",
        )
        value = chat.next_message(f"story-{character.account_id}-{number}", rfc3339(at))
        return SimulatedRecord(self._interactions, chat.key, value, None, "interaction")


def moments_before(now_ms: int, count: int, time_zone: str) -> Sequence[int]:
    """Returns `count` ascending moments (UTC ms) of the last two days, distributed by the account's daily curve."""
    begin = now_ms - _PAST_MS
    steps = range(begin, now_ms, _STEP_MS)
    reached = list(accumulate(busyness(hour_of_day(step, time_zone)) for step in steps))
    moments = []
    for number in range(count):
        wanted = reached[-1] * (number + 0.5) / count
        place = bisect_right(reached, wanted)
        before = reached[place - 1] if place else 0.0
        within = (wanted - before) / (reached[place] - before)
        moments.append(int(steps[place] + within * _STEP_MS))
    return moments


def _opening(character: Character, anchor: int) -> Iterator[dict[str, object]]:
    yield {
        "type": "open_account",
        "plan": character.plan,
        "billing_cycle": "monthly",
        "anchor": rfc3339(anchor),
        "time_zone": character.time_zone,
        "contacts": [f"admin@{character.account_id}.example"],
    }
    if character.packs:
        yield {"type": "purchase_packs", "packs": character.packs}
