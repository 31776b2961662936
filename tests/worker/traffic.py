"""Input for a worker: accounts that run out and buy, end-users that come back, and every kind of bad record."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from botmeter.contracts.instants import rfc3339
from botmeter.contracts.topics import Topic, Topics, partition_of
from botmeter.domain.prices import HOUR_MS, MINUTE_MS

from .cluster import PARTITIONS, Cluster, Headers

#: Three on each of two partitions.
ACCOUNTS: Final = ("acme", "initech", "stark", "hooli", "wayne", "soylent")
Json = dict[str, Any]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def interaction(account_id: str, end_user: str, **changed: Any) -> Json:
    """An end-user's message to a bot, of this very moment."""
    return {
        "event_id": f"e-{end_user}",
        "account_id": account_id,
        "end_user_id": end_user,
        "bot_id": "b-1",
        "conversation_id": f"c-{end_user}",
        "widget": "conversations",
        "actor": "end_user",
        "preview": False,
        "occurred_at": rfc3339(now_ms()),
        **changed,
    }


def command(type_: str, account_id: str, command_id: str, **fields: Any) -> Json:
    return {"type": type_, "command_id": command_id, "account_id": account_id, "issued_by": "tester", **fields}


def opening(account_id: str, plan: str = "growth", **fields: Any) -> Json:
    """Opens the account, its cycle beginning now: no boundary for a month."""
    told = {"billing_cycle": "monthly", "contacts": [f"admin@{account_id}.example"], **fields}
    return command("open_account", account_id, "open", plan=plan, **told)


class Traffic:
    """Publishes drawn input; the same seed draws the same, up to the clock."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._cluster = cluster
        self._dice = Random(seed)
        self._drawn = 0

    def open_accounts(self) -> None:
        for account_id in ACCOUNTS:
            self.ask(opening(account_id, plan="free" if account_id == "stark" else "growth"))
            self.ask(command("set_thresholds", account_id, "thresholds", percents=[50, 80]))
        self._cluster.flush()

    def ask(self, fields: Json) -> None:
        self._cluster.put(self._cluster.topics.commands, fields["account_id"], json.dumps(fields).encode())

    def say(self, fields: Json, headers: Headers | None = None) -> None:
        value = json.dumps(fields).encode()
        self._cluster.put(self._cluster.topics.interactions, fields["account_id"], value, headers=headers)

    def run(self, interactions: int, commands: int = 0) -> None:
        """So many interactions, then so many commands, without waiting for the broker."""
        for _ in range(interactions):
            traced: Headers = [("traceparent", b"00-%032x-%016x-01" % (self._drawn + 1, 1))]
            self.say(self._interaction(), traced if self._dice.random() < 0.1 else None)
        for _ in range(commands):
            self.ask(self._command())

    def _interaction(self) -> Json:
        dice = self._dice
        self._drawn += 1
        delay = dice.choices([0, MINUTE_MS, 30 * HOUR_MS, 49 * HOUR_MS, -6 * MINUTE_MS], [90, 5, 3, 1, 1])[0]
        return interaction(
            dice.choice([*ACCOUNTS, "nobody"] if dice.random() < 0.05 else ACCOUNTS),
            f"u-{dice.randrange(60)}",
            event_id=f"e-{self._drawn}",
            bot_id=dice.choices(["b-1", "b-2", None], [6, 3, 1])[0],
            conversation_id=f"c-{dice.randrange(20)}",
            widget=dice.choices(["conversations", "self_service"], [4, 1])[0],
            actor=dice.choices(["end_user", "bot", "agent", "system"], [12, 5, 1, 1])[0],
            preview=dice.random() < 0.1,
            occurred_at=rfc3339(now_ms() - delay),
        )

    def _command(self) -> Json:
        dice = self._dice
        self._drawn += 1
        kinds: list[tuple[str, Json]] = [
            ("purchase_packs", {"packs": 1}),
            ("purchase_packs", {"packs": 0}),
            ("credit_sessions", {"sessions": 5, "reason": "outage"}),
            ("reduce_packs", {"packs": 1}),
            ("set_auto_recharge", {"below": 2, "packs": 1}),
            ("set_auto_recharge", {"below": 0, "packs": 0}),
            ("change_plan", {"plan": "pro"}),
            ("set_thresholds", {"percents": [dice.randint(1, 99), 90]}),
            ("paint_it_black", {}),
        ]
        [(type_, fields)] = dice.choices(kinds, [6, 1, 3, 1, 1, 2, 1, 1, 1])
        command_id = "again" if dice.random() < 0.1 else f"k-{self._drawn}"
        return command(type_, dice.choice(ACCOUNTS), command_id, **fields)


@dataclass(frozen=True)
class Bad:
    """A record that must become a dead letter for this reason, as it is written."""

    name: str
    reason: str
    topic: Topic
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int

    @property
    def said_value(self) -> bytes | None:
        """What the dead letter holds of the value: all of it, or its beginning."""
        return None if self.value is None else self.value[:1_048_576]


def bad_records(topics: Topics, dice: Random) -> Iterator[Bad]:
    """One of every kind, each otherwise as good as can be."""
    home = partition_of(b"acme", PARTITIONS)
    good = json.dumps(interaction("acme", "u-bad")).encode()
    asked = json.dumps(command("purchase_packs", "acme", "k-bad", packs=1)).encode()
    large = dice.randbytes(1_000_000).hex().encode()  # 2 MB that no compression makes small

    def said(name: str, reason: str, value: bytes | None, key: bytes | None = b"acme", partition: int = home) -> Bad:
        return Bad(name, reason, topics.interactions, key, value, [("n", name.encode())], partition)

    def order(name: str, reason: str, value: bytes | None, key: bytes | None = b"acme", partition: int = home) -> Bad:
        return Bad(name, reason, topics.commands, key, value, [("n", name.encode())], partition)

    def with_(**changed: Any) -> bytes:
        return json.dumps(interaction("acme", "u-bad", **changed)).encode()

    yield said("not JSON", "malformed", good[:-1])
    yield said("no object", "malformed", b"[]")
    yield said("empty value", "malformed", b"")
    yield said("null value", "malformed", None)
    yield said("invalid UTF-8", "malformed", good.replace(b"u-bad", b"\xff\xfe"))
    yield said("NaN", "malformed", good[:-1] + b',"score":NaN}')
    yield said("duplicate key", "malformed", good[:-1] + b',"actor":"bot"}')
    yield said("deep nesting", "malformed", good[:-1] + b',"more":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    yield said("missing field", "invalid", good.replace(b"end_user_id", b"end_user"))
    yield said("wrong type", "invalid", with_(preview="yes"))
    yield said("unknown enum", "invalid", with_(widget="billboard"))
    yield said("empty id", "invalid", with_(conversation_id=""))
    yield said("300-character id", "invalid", with_(end_user_id="u" * 300))
    yield said("control character", "invalid", with_(bot_id="b\x00"))
    yield said("no such date", "invalid", with_(occurred_at="2026-02-31T10:00:00.000Z"))
    yield said("far future", "in_future", with_(occurred_at="2999-12-31T23:59:59.999Z"))
    yield said("far past", "too_late", with_(occurred_at="1970-01-01T00:00:00.000Z"))
    yield said("2 MB value", "too_large", good[:-1] + b',"note":"' + large + b'"}')
    yield said("2 MB of rubbish", "too_large", large)
    yield said("no key", "wrong_key", good, key=None)
    yield said("empty key", "wrong_key", good, key=b"")
    yield said("other key", "wrong_key", good, key=b"u-bad")
    yield said("unreadable key", "wrong_key", good, key=b"\xff\x00")
    yield said("other partition", "wrong_partition", good, partition=1 - home)
    yield said("unknown account", "unknown_account", json.dumps(interaction("umbrella", "u")).encode(), b"umbrella", 0)
    yield order("command that is no JSON", "malformed", asked[:-1])
    yield order("null command", "malformed", None)
    yield order("command without an id", "invalid", asked.replace(b"command_id", b"id"))
    yield order("2 MB command", "too_large", asked[:-1] + b',"note":"' + large + b'"}')
    yield order("command without a key", "wrong_key", asked, key=None)
    yield order("command on another partition", "wrong_partition", asked, partition=1 - home)
    yield Bad("odd headers", "malformed", topics.interactions, b"acme", b"?", _ODD_HEADERS, home)


_ODD_HEADERS: Final[Headers] = [
    ("n", b"odd headers"),
    ("null", None),
    ("bytes", b"\xff\xfe"),
    ("twice", b"1"),
    ("twice", b"2"),
    ("botmeter_reason", b"mine"),
    ("__streams.errors.topic", b"mine"),
    ("content-type", b"text/plain"),
]
