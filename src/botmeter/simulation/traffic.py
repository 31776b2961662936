"""The traffic: decides which record comes next. Pure: everything depends on a seed, and on times as arguments."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Final

from botmeter.contracts.instants import rfc3339
from botmeter.contracts.topics import Topics, partition_of
from botmeter.domain.prices import HOUR_MS, MINUTE_MS, SECOND_MS
from botmeter.simulation import billing
from botmeter.simulation.accounts import CLOSED, SimulatedAccount, opening, shares
from botmeter.simulation.chats import Chat, new_chat
from botmeter.simulation.day import busyness, hour_of_day
from botmeter.simulation.records import SimulatedRecord, command_record
from botmeter.simulation.spoiled import FAULTS

#: How many sent records a duplicate is chosen from.
_RECENT: Final = 1024
#: The share of each account follows its local time in steps of this length.
_STEP_MS: Final = 5 * MINUTE_MS
#: Clients and networks take up to this long between an interaction and its record.
_DELAY_MAX_MS: Final = 2 * SECOND_MS
#: How late interactions are, at least and at most: within the limit, so they still count.
_LATE_MIN_MS: Final = 2 * SECOND_MS
_LATE_MAX_MS: Final = 12 * HOUR_MS
#: The prefix of all simulated commands' ids: a simulation recognises the accounts of simulations by it.
COMMAND_ID_PREFIX: Final = "sim-"
#: End-users of previews, per account.
_EDITORS: Final = 3


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of all records, and the composition of the rest."""

    #: Records with a fault.
    bad_share: float = 0.01
    #: The same record once more.
    duplicate_share: float = 0.02
    #: Interactions that come seconds to hours late.
    late_share: float = 0.03
    #: Commands of administrators.
    command_share: float = 0.000_2
    #: Chats of an end-user who was never seen before.
    new_user_share: float = 0.7
    #: Conversations at a time.
    open_chats: int = 1000


class Traffic:
    """An endless source of records. The same seed and arguments give the same records.

    Ids of events, end-users, conversations and commands contain the seed, so a repeated run repeats them: its commands
    change nothing (`C1`) and its interactions join the sessions of the first run (`S6`).
    """

    def __init__(
        self,
        seed: int,
        accounts: Sequence[SimulatedAccount],
        topics: Topics,
        partitions: int,
        mix: Mix = Mix(),
    ) -> None:
        self._random = Random(seed)  # noqa: S311 - repeatable on purpose
        self._seed, self._accounts, self._partitions, self._mix = seed, accounts, partitions, mix
        self._interactions, self._commands = topics.interactions.name, topics.commands.name
        self._shares = shares(len(accounts))
        self._users = [0] * len(accounts)
        self._events = self._conversations = self._issued = 0
        self._step: int | None = None
        self._cumulative = list(accumulate(self._shares))
        self._chats: list[Chat] = []
        self._recent: list[SimulatedRecord] = []
        self._rare = self._rare_kinds()
        self._faults = [name for name in FAULTS if partitions > 1 or not FAULTS[name].is_misplaced]
        self._fault_weights = list(accumulate(FAULTS[name].weight for name in self._faults))

    def opening(self) -> list[SimulatedRecord]:
        """Returns the commands that open and configure the accounts; send them first. A seed only changes the ids."""
        return [
            command_record(
                self._commands,
                account.account_id,
                f"{COMMAND_ID_PREFIX}{self._seed}-{account.account_id}-{number}",
                "crm",
                fields,
            )
            for account in (*self._accounts, CLOSED)
            for number, fields in enumerate(opening(account))
        ]

    def busyness(self, day_ms: int) -> float:
        """Returns the traffic of all accounts at a moment of the simulated day (UTC ms), relative to the day's mean."""
        self._update_shares(day_ms)
        return self._cumulative[-1] / sum(self._shares)

    def take(self, count: int, now_ms: int, day_ms: int | None = None) -> list[SimulatedRecord]:
        """Returns the next `count` records, published at `now_ms`.

        `day_ms` is the moment of the simulated day, which determines the local hours and so the accounts' shares;
        without one, the shares do not change. Both UTC ms.
        """
        if day_ms is not None:
            self._update_shares(day_ms)
        random, rare_share = self._random.random, self._rare[-1][0]
        return [self._rarity(now_ms) if random() < rare_share else self._interaction(now_ms) for _ in range(count)]

    # --- Interactions ---

    def _interaction(self, now_ms: int) -> SimulatedRecord:
        delay_ms = int(self._random.random() * _DELAY_MAX_MS)
        return self._next_message(now_ms - delay_ms, "interaction")

    def _next_message(self, occurred_at: int, kind: str) -> SimulatedRecord:
        """Returns the next message of one of the open chats."""
        if len(self._chats) < self._mix.open_chats:
            self._chats.append(self._new_chat())
        place = int(self._random.random() * len(self._chats))
        chat = self._chats[place]
        record = SimulatedRecord(
            self._interactions, chat.key, chat.next_message(self._event_id(), rfc3339(occurred_at)), None, kind
        )
        if chat.is_over:
            self._chats[place] = self._new_chat()
        if len(self._recent) < _RECENT:
            self._recent.append(record)
        else:
            self._recent[self._events % _RECENT] = record
        return record

    def _event_id(self) -> str:
        self._events += 1
        return f"e-{self._seed}-{self._events}"

    def _new_chat(self) -> Chat:
        random = self._random.random
        number = self._account_number()
        account_id = self._accounts[number].account_id
        if random() < self._mix.new_user_share or not self._users[number]:
            user = self._users[number] = self._users[number] + 1
        else:
            user = int(random() * self._users[number]) + 1
        self._conversations += 1
        return new_chat(
            self._random,
            account_id,
            end_user_id=f"u-{self._seed}-{user}",
            editor_id=f"editor-{int(random() * _EDITORS) + 1}",
            conversation_id=f"c-{self._seed}-{self._conversations}",
        )

    def _account_number(self) -> int:
        cumulative = self._cumulative
        return bisect(cumulative, self._random.random() * cumulative[-1], hi=len(cumulative) - 1)

    def _update_shares(self, day_ms: int) -> None:
        step = day_ms - day_ms % _STEP_MS
        if step != self._step:
            self._step = step
            zones = (account.time_zone for account in self._accounts)
            weights = zip(self._shares, (busyness(hour_of_day(step, zone)) for zone in zones), strict=True)
            self._cumulative = list(accumulate(share * busy for share, busy in weights))

    # --- Rare records ---

    def _rare_kinds(self) -> list[tuple[float, Callable[[int], SimulatedRecord]]]:
        """Returns the kinds of rare records, each with the cumulative share."""
        mix = self._mix
        kinds = (
            (mix.bad_share, self._bad),
            (mix.duplicate_share, self._duplicate),
            (mix.late_share, self._late),
            (mix.command_share, self._command),
        )
        return list(zip(accumulate(share for share, _ in kinds), (make for _, make in kinds), strict=True))

    def _rarity(self, now_ms: int) -> SimulatedRecord:
        chance = self._random.random() * self._rare[-1][0]
        return next(make for limit, make in self._rare if chance < limit)(now_ms)

    def _duplicate(self, now_ms: int) -> SimulatedRecord:
        if not self._recent:
            return self._interaction(now_ms)
        return self._random.choice(self._recent)._replace(kind="duplicate")

    def _late(self, now_ms: int) -> SimulatedRecord:
        """Returns a late interaction, late by seconds more often than by hours."""
        delay_ms = math.exp(self._random.uniform(math.log(_LATE_MIN_MS), math.log(_LATE_MAX_MS)))
        return self._next_message(now_ms - int(delay_ms), "late interaction")

    def _command(self, now_ms: int) -> SimulatedRecord:
        del now_ms
        self._issued += 1
        account_id = self._accounts[self._account_number()].account_id
        if self._random.random() < self._mix.bad_share:
            return SimulatedRecord(self._commands, account_id.encode(), billing.UNREADABLE, None, "unreadable command")
        command_id = f"{COMMAND_ID_PREFIX}{self._seed}-day-{self._issued}"
        return command_record(self._commands, account_id, command_id, "admin", billing.random_command(self._random))

    def _bad(self, now_ms: int) -> SimulatedRecord:
        [name] = self._random.choices(self._faults, cum_weights=self._fault_weights)
        return self.spoil(name, now_ms)

    def spoil(self, name: str, now_ms: int) -> SimulatedRecord:
        """Returns a record with the fault of this name in `FAULTS`."""
        fault = FAULTS[name]
        account_id = self._accounts[self._account_number()].account_id
        fields = {
            "event_id": self._event_id(),
            "account_id": account_id,
            "end_user_id": f"u-{self._seed}-1",
            "bot_id": f"{account_id}-bot-1",
            "conversation_id": f"c-{self._seed}-spoiled-{self._events}",
            "widget": "conversations",
            "actor": "end_user",
            "occurred_at": rfc3339(now_ms),
        }
        key = fault.key(fields)
        partition = None
        if fault.is_misplaced:
            partition = (partition_of(account_id.encode(), self._partitions) + 1) % self._partitions
        return SimulatedRecord(self._interactions, key, fault.value(fields), partition, f"bad: {name}")
