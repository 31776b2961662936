"""The input that all engines read: interactions as bytes, made as fast as Python can, and the accounts they belong to.

End-users come in groups that are under way at once, so that many conversations interleave. Exactly half of all records
are bot replies, and each end-user's first message opens their session.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from math import gcd
from typing import Final

from botmeter.contracts.topics import partition_of

#: End-users whose conversations interleave, where there are as many.
UNDER_WAY: Final = 2_000
ACCOUNTS: Final = 100
#: Bought by each account: a million sessions, so that nobody runs out.
PACKS: Final = 1_000
#: Of the golden ratio; odd, so that no two numbers become one.
_ODD: Final = 0x9E37_79B9_7F4A_7C15
_64_BITS: Final = (1 << 64) - 1

#: One record: key, value, partition.
Keyed = tuple[bytes, bytes, int]


@dataclass(frozen=True)
class Mix:
    """What the traffic is like.

    Args:
        per_session: records of one end-user, 2 or more, who opens one session; half of all are a bot's replies.
        hot_share: the part of the end-users that belongs to one account; the others have theirs in turn.
    """

    per_session: int
    hot_share: float = 0.0

    @property
    def name(self) -> str:
        """As topics call it."""
        return self.title.replace(",", "").replace(" ", "-")

    @property
    def title(self) -> str:
        """As tables call it."""
        return f"1 in {self.per_session}" + (", one hot account" if self.hot_share else "")

    def sessions(self, records: int) -> int:
        """How many sessions so many records open; all of a session's records are among them."""
        sessions, rest = divmod(records, self.per_session)
        assert not rest, f"{records:,} records are no whole number of sessions with {self.per_session}"
        return sessions


class Accounts:
    """The accounts of a run: as many on each partition, the one Kafka's default partitioner gives them."""

    def __init__(self, partitions: int) -> None:
        self.numbers: list[int] = []
        self.keys: list[bytes] = []
        self.partitions: list[int] = []
        room = Counter(dict.fromkeys(range(partitions), ACCOUNTS // partitions))
        for number in count():
            key = f"account-{number}".encode()
            partition = partition_of(key, partitions)
            if room[partition]:
                room[partition] -= 1
                self.numbers.append(number)
                self.keys.append(key)
                self.partitions.append(partition)
            elif not room.total():
                return

    def commands(self) -> Iterator[Keyed]:
        """Opens every account and buys it sessions."""
        for key, partition in zip(self.keys, self.partitions, strict=True):
            head = {"account_id": key.decode(), "issued_by": "bench"}
            opened = {"type": "open_account", "command_id": "open", "plan": "pro", "billing_cycle": "monthly"}
            bought = {"type": "purchase_packs", "command_id": "buy", "packs": PACKS}
            for command in (opened, bought):
                yield key, json.dumps(head | command).encode(), partition


def interactions(mix: Mix, records: int, accounts: Accounts, first_user: int = 0) -> Iterator[Keyed]:
    """So many interactions; end-users are numbered from `first_user`."""
    message, reply = template("end_user"), template("bot")
    numbers, keys, partitions = accounts.numbers, accounts.keys, accounts.partitions
    under_way = gcd(mix.sessions(records), UNDER_WAY)
    group_records = under_way * mix.per_session
    hot = round(mix.hot_share * ACCOUNTS)
    for number in range(records):
        group, place = divmod(number, group_records)
        turn, nth = divmod(place, under_way)
        user = first_user + group * under_way + nth
        account = user % len(keys)
        if account < hot:
            account = 0
        # Every second record of an end-user is a reply; who begins alternates, so that odd numbers come to a half too.
        body = reply if (turn + user // ACCOUNTS) % 2 else message
        id_ = scattered(user)
        yield keys[account], body % (scattered(number), numbers[account], id_, id_), partitions[account]


def scattered(number: int) -> int:
    """A number of 64 bits, different for each: ids that neither sort nor compress as a row of numbers does."""
    return number * _ODD & _64_BITS


def template(actor: str) -> bytes:
    """An interaction that occurred now, with four numbers left out: event, account, end-user, conversation.

    But for the account they are `scattered`.
    """
    occurred_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = {
        "event_id": "e-%016x",
        "account_id": "account-%d",
        "end_user_id": "u-%016x",
        "bot_id": "bot-1",
        "conversation_id": "c-%016x",
        "widget": "conversations",
        "actor": actor,
        "preview": False,
        "occurred_at": occurred_at,
    }
    return json.dumps(body, separators=(",", ":")).encode()
