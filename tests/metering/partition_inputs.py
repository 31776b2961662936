"""What one partition may be fed: records of several accounts, good and bad, and the timer between them.

Numbers are small (5 complimentary sessions, packs of 10, seven end-users), so that accounts run out, are recharged,
closed and rolled over within a few dozen records. Hypothesis draws a seed and a length: drawn record by record, lives
come out too short and too scattered for an account to get far.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any, Final, TypeVar

from hypothesis import strategies as st

from botmeter.contracts.instants import rfc3339
from botmeter.contracts.topics import Topics
from botmeter.domain.prices import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, PriceBook, Rules
from botmeter.replay.tape import TapeRecord

TOPICS: Final = Topics.named()
INTERACTIONS: Final = TOPICS.interactions.name
COMMANDS: Final = TOPICS.commands.name
#: Of all topics; everything is fed to partition 0, where the accounts below belong.
PARTITIONS: Final = 3
PARTITION: Final = 0
ACCOUNTS: Final = ("acme", "initech", "ähnlich")
NEVER_OPENED: Final = "umbrella"
#: Belongs on partition 1.
MISPLACED: Final = "globex"
#: The anchors lie up to 40 days around it, so cycles end early and late in an input.
START: Final = 1_773_144_000_000  # 2026-03-10 12:00 UTC

Json = dict[str, Any]
#: A record, or the moment (UTC ms) at which the timer looks at the partition.
Item = TapeRecord | int
V = TypeVar("V")

#: Between two records, with weights: mostly short, now and then a clock that steps back, seldom over a boundary.
_WAITS: Final = {
    0: 60, 1: 5, SECOND_MS: 5, MINUTE_MS: 5, HOUR_MS: 5, -SECOND_MS: 2, 6 * HOUR_MS: 2,
    DAY_MS - 1: 1, DAY_MS: 1, 2 * DAY_MS: 1, 9 * DAY_MS: 1, 31 * DAY_MS: 1,
}  # fmt: skip
#: How far behind the broker's time an interaction occurred: up to and beyond both limits of `S7`.
_DELAYS: Final = {
    0: 60, MINUTE_MS: 3, HOUR_MS: 3, 12 * HOUR_MS: 3, DAY_MS - 1: 3, DAY_MS: 3, 30 * HOUR_MS: 3, 48 * HOUR_MS: 1,
    48 * HOUR_MS + 1: 1, -5 * MINUTE_MS: 1, -5 * MINUTE_MS - 1: 1,
}  # fmt: skip
_ACTORS: Final = {"end_user": 12, "bot": 3, "agent": 1, "system": 1}
_WIDGETS: Final = {"conversations": 4, "self_service": 1}
_BOTS: Final = {"b-1": 8, "b-2": 1, None: 1}
_WHOSE: Final = {"acme": 6, "initech": 2, "ähnlich": 2}
_PLACES: Final = {"good": 40, NEVER_OPENED: 1, MISPLACED: 1, "no key": 1, "other key": 1}
_KINDS: Final = {"interaction": 80, "bad interaction": 3, "command": 12, "tick": 3}

_SPOILERS: Final[list[Callable[[bytes], bytes | None]]] = [
    lambda _: None,
    lambda value: value[:-1],
    lambda value: value.replace(b'"u-', b'"\xff'),
    lambda value: value.replace(b'"widget"', b'"gadget"'),
    lambda value: value.replace(b'"c-', b'"\\u0000'),
    lambda value: b"[" + value + b"]",
]


def _opening(dice: Random) -> Json:
    return {
        "type": "open_account",
        "plan": dice.choice(["free", "growth", "pro", "pro"]),
        "billing_cycle": dice.choice(["monthly", "monthly", "quarterly"]),
        "anchor": rfc3339(START + dice.randint(-40, 40) * DAY_MS),
        "time_zone": dice.choice(["UTC", "America/New_York"]),
        "contacts": ["admin@acme.example"],
    }


_COMMANDS: Final[list[Callable[[Random], Json]]] = [
    lambda dice: {"type": "purchase_packs", "packs": dice.choice([1, 1, 2])},
    lambda dice: {"type": "purchase_packs", "packs": dice.choice([1, 1, 0])},
    lambda dice: {"type": "credit_sessions", "sessions": dice.randint(1, 6), "reason": "outage"},
    lambda dice: {"type": "reduce_packs", "packs": dice.randint(1, 2)},
    lambda _: {"type": "cancel_reduction"},
    lambda dice: {"type": "change_plan", "plan": dice.choice(["free", "growth", "pro"])},
    lambda dice: {"type": "change_billing_cycle", "billing_cycle": dice.choice(["monthly", "quarterly"])},
    lambda dice: {"type": "set_thresholds", "percents": dice.sample(range(1, 100), dice.randint(0, 3))},
    lambda dice: {"type": "set_auto_recharge", "below": dice.randint(0, 12), "packs": dice.choice([0, 0, 1])},
    lambda _: {"type": "set_contacts", "contacts": ["somebody@acme.example"]},
    lambda dice: {"type": "close_account"} if dice.random() < 0.3 else {"type": "paint_it_black"},
    _opening,
]


class _Source:
    """Makes records with the offsets and the broker's times they would have."""

    def __init__(self, seed: int) -> None:
        self._dice = Random(seed)
        self._offsets = {INTERACTIONS: 0, COMMANDS: 0}
        self._now = START
        self._made = 0

    def _one_of(self, weighted: dict[V, int]) -> V:
        return self._dice.choices([*weighted], [*weighted.values()])[0]

    def opening(self, account_id: str) -> TapeRecord:
        return self._asking(account_id, _opening(self._dice), account_id)

    def item(self) -> Item:
        self._now += self._one_of(_WAITS)
        kind, place = self._one_of(_KINDS), self._one_of(_PLACES)
        if kind == "tick":
            return self._now
        account_id = place if place in {NEVER_OPENED, MISPLACED} else self._one_of(_WHOSE)
        key = {"no key": None, "other key": "somebody else"}.get(place, account_id)
        if kind == "command":
            return self._asking(account_id, self._dice.choice(_COMMANDS)(self._dice), key)
        value: bytes | None = self._interaction(account_id)
        if kind == "bad interaction" and value is not None:
            value = self._dice.choice(_SPOILERS)(value)
        return self._record(INTERACTIONS, key, value)

    def _interaction(self, account_id: str) -> bytes:
        fields = {
            "event_id": f"e-{self._made}",
            "account_id": account_id,
            "end_user_id": f"u-{self._dice.randrange(7)}",
            "bot_id": self._one_of(_BOTS),
            "conversation_id": f"c-{self._dice.randrange(5)}",
            "widget": self._one_of(_WIDGETS),
            "actor": self._one_of(_ACTORS),
            "preview": self._dice.random() < 0.15,
            "occurred_at": rfc3339(self._now - self._one_of(_DELAYS)),
        }
        return json.dumps(fields).encode()

    def _asking(self, account_id: str, fields: Json, key: str | None) -> TapeRecord:
        # Now and then under an id that was used before (C1).
        command_id = "again" if self._dice.random() < 0.15 else f"k-{self._made}"
        address = {"command_id": command_id, "account_id": account_id, "issued_by": "tester"}
        return self._record(COMMANDS, key, json.dumps({**address, **fields}).encode())

    def _record(self, topic: str, key: str | None, value: bytes | None) -> TapeRecord:
        offset, self._offsets[topic] = self._offsets[topic], self._offsets[topic] + 1
        self._made += 1
        traced = self._dice.random() < 0.2
        headers = [("traceparent", b"00-%032x-%016x-01" % (self._made, self._made))] if traced else []
        key_bytes = None if key is None else key.encode()
        return TapeRecord(topic, PARTITION, offset, key_bytes, value, self._now, [*headers])


def input_of(seed: int, openings: int, length: int) -> list[Item]:
    """One partition's input, in the order in which it is taken; a shorter one of the same seed is its beginning."""
    source = _Source(seed)
    return [
        *(source.opening(account_id) for account_id in ACCOUNTS[:openings]),
        *(source.item() for _ in range(length)),
    ]


seeds: Final = st.integers(0, 2**32)
openings: Final = st.sampled_from(range(len(ACCOUNTS), 0, -1))
lengths: Final = st.integers(20, 150)
rules: Final = st.builds(
    Rules,
    prices=st.just(PriceBook(pack_sessions=10, pack_price_minor=100, complimentary_sessions=5)),
    exhaustion=st.sampled_from(["new_sessions", "all_chats"]),
    default_thresholds=st.sampled_from([(), (80,), (50, 80)]),
)
