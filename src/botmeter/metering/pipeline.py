"""The pure step: the records of one partition in, their outputs and changed states out.

Decode, prefetch, decide. The only input or output is the prefetch, one call for all that a run of interactions misses.
The same step serves the worker and `botmeter replay`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from botmeter.contracts import catalogue
from botmeter.contracts.catalogue import Channel, Told
from botmeter.contracts.cloudevents import Place
from botmeter.contracts.decoding import HotInteraction, decode_command, decode_interaction, domain_interaction
from botmeter.contracts.instants import millis
from botmeter.contracts.topics import Topics, partition_of
from botmeter.domain.account import Account
from botmeter.domain.announcements import Alert, announce, answer, balance_of
from botmeter.domain.billing import decide_command, decide_tick
from botmeter.domain.events import CommandCause, Event, InteractionCause, TimerCause
from botmeter.domain.metering import Memory, decide_interaction
from botmeter.domain.prices import Rules
from botmeter.domain.sessions import Starts, is_covered, is_metered
from botmeter.errors import ClusterError, PoisonRecord
from botmeter.metering.dead_letters import REFUSED, dead_letter
from botmeter.metering.records import LOG_APPEND_TIME, Output, Record, traceparent_of
from botmeter.metering.state import Changes, PartitionState
from botmeter.metering.store import NEVER, WindowKey

M = TypeVar("M", bound=Told)

#: On the first of a month, all cycles of a time zone end at once; each takes tens of microseconds and a few records.
TICK_ACCOUNTS_MAX: Final = 5_000


@dataclass(slots=True)
class Decided:
    """What a micro-batch of one partition comes to."""

    partition: int
    changes: Changes
    outputs: list[Output] = field(default_factory=list)
    #: How often each outcome occurred: outcomes of interactions, `command`, `cycle`, dead letters by reason.
    counts: Counter[str] = field(default_factory=Counter)


#: An interaction that the first look could not settle: record, decoded, its key, broker time, occurred_at, window.
_Open = tuple[Record, HotInteraction, bytes, int, int, WindowKey]
_Poisoned = tuple[Record, PoisonRecord]


class Meter:
    """Decides the records of one partition in order. One at a time: `begin`, then any of the others, then `end`."""

    def __init__(
        self,
        partition: int,
        partitions: int | None,
        state: PartitionState,
        topics: Topics,
        rules: Rules,
        next_offset: int,
    ) -> None:
        """`partitions` is how many the input topics have, None when a tape does not say.

        `next_offset` is the offset of the first interaction not yet taken (`J4`).
        """
        self.partition = partition
        self.state = state
        self.next_offset = next_offset
        self._partitions = partitions
        self._topics = topics
        self._rules = rules
        # A paid session is beyond an exhausted account's reach only where nothing hands it off (S9). Where something
        # does, whether the account is exhausted by then shows only in order, so the first look settles none of them.
        self._has_short_way = rules.exhaustion == "new_sessions"
        self._covered_when = ("active", "exhausted") if self._has_short_way else ("active",)
        self._decided = Decided(partition, state.changes)
        self._changed: dict[bytes, tuple[int, bytes | None]] = {}

    def begin(self) -> None:
        """Starts a micro-batch."""
        self.state.begin_batch()
        self._decided = Decided(self.partition, self.state.changes)
        self._changed = {}

    def end(self) -> Decided:
        """Ends the micro-batch: adds the balance of each account it changed, one for each."""
        for key, (at, traceparent) in self._changed.items():
            self._write(catalogue.BALANCES, key, balance_of(self.state.accounts[key], at), traceparent)
        return self._decided

    # --- Interactions ---

    def take_interactions(self, records: Sequence[Record]) -> None:
        """A run of interactions in offset order, with no command or tick between them.

        Raises ClusterError for records with their producer's time instead of the broker's.
        """
        if not records:
            return
        for record in (records[0], records[-1]):  # the topic's setting changes between two batches of a producer
            _require_brokers_time(record)
        still_open = self._read(records)
        self._prefetch(still_open)
        for item in still_open:
            if len(item) == 2:
                self._bury(*item)
            else:
                self._settle(*item)
        self.next_offset = records[-1].offset() + 1
        self.state.stream_time = max(self.state.stream_time, records[-1].timestamp()[1])

    def _read(self, records: Sequence[Record]) -> list[_Open | _Poisoned]:
        """Decodes, and settles at once what needs no look at the store: the hot loop."""
        accounts, windows, joins = self.state.accounts, self.state.windows.young, self._joins
        still_open: list[_Open | _Poisoned] = []
        has_short_way = self._has_short_way
        covered = ignored = 0
        for record in records:
            key = record.key() or b""
            account = accounts.get(key)
            try:
                hot = decode_interaction(record.value())
                if account is None or account.account_id != hot.account_id:
                    self._require_place(key, hot.account_id)
            except PoisonRecord as poison:
                still_open.append((record, poison))
                continue
            at = record.timestamp()[1]
            if account is not None and at < account.cycle.ends_at and (hot.actor != "end_user" or hot.bot_id is None):
                ignored += 1
                continue
            occurred_at = millis(hot.occurred_at)
            window = (hot.account_id, hot.end_user_id, hot.preview)
            if has_short_way and joins(account, windows.get(window, ()), at, occurred_at):
                covered += 1
            else:
                still_open.append((record, hot, key, at, occurred_at, window))
        self._decided.counts["covered"] += covered
        self._decided.counts["ignored"] += ignored
        return still_open

    def _joins(self, account: Account | None, starts: Starts, at: int, occurred_at: int) -> bool:
        """Whether a metered interaction joins a paid session and nothing else can come of it.

        A shortcut past `decide_interaction`, for most of all interactions; a property test holds the two together.
        """
        return (
            account is not None
            and account.status in self._covered_when
            and at < account.cycle.ends_at
            and -self._rules.late_limit_ms <= occurred_at - at <= self._rules.ahead_limit_ms
            and is_covered(starts, occurred_at)
        )

    def _prefetch(self, still_open: list[_Open | _Poisoned]) -> None:
        """Fetches what the open interactions may need: windows of all, chats where the sessions may run out."""
        state = self.state
        items = [item for item in still_open if len(item) == 6]
        state.windows.prefetch({item[5] for item in items})
        asked = Counter(item[2] for item in items)
        last_at = max((item[3] for item in items), default=0)
        may_run_out = {key for key, wanted in asked.items() if self._may_run_out(key, wanted, last_at)}
        state.chats.prefetch(
            {(item[1].account_id, item[1].conversation_id) for item in items if item[2] in may_run_out}
        )

    def _may_run_out(self, key: bytes, wanted: int, last_at: int) -> bool:
        account = self.state.accounts.get(key)
        return account is not None and (account.allowance.remaining < wanted or account.cycle.ends_at <= last_at)

    def _settle(
        self, record: Record, hot: HotInteraction, key: bytes, at: int, occurred_at: int, window: WindowKey
    ) -> None:
        account, starts = self.state.accounts.get(key), self.state.windows.young[window]
        if is_metered(hot.actor, hot.bot_id) and self._joins(account, starts, at, occurred_at):
            self._decided.counts["covered"] += 1  # by a session that opened earlier in this batch, or in the store
            return
        handed_off_at = self.state.chats.young.get((hot.account_id, hot.conversation_id), NEVER)
        memory = Memory(starts, None if handed_off_at == NEVER else handed_off_at)
        cause = InteractionCause(record.topic(), record.partition(), record.offset(), hot.event_id)
        interaction = domain_interaction(hot, occurred_at)
        events, outcome = decide_interaction(account, interaction, memory, at, cause, self._rules)
        if events:
            self._record(key, events, traceparent_of(record))
        if outcome in REFUSED:
            self._bury(record, PoisonRecord(outcome, REFUSED[outcome]))
        else:
            self._decided.counts[outcome] += 1

    # --- Commands and the timer ---

    def take_command(self, record: Record) -> None:
        """One command, at its place between the interactions. Raises ClusterError as `take_interactions`."""
        _require_brokers_time(record)
        key, at = record.key() or b"", record.timestamp()[1]
        try:
            account_id, command = decode_command(record.value())
            self._require_place(key, account_id)
        except PoisonRecord as poison:
            self._bury(record, poison)
            return
        cause = CommandCause(record.topic(), record.partition(), record.offset(), command.command_id, self.next_offset)
        account = self.state.accounts.get(key)
        events, result = decide_command(account_id, account, command, at, cause, self._rules)
        traceparent = traceparent_of(record)
        self._record(key, events, traceparent)
        place = Place(record.topic(), record.partition(), record.offset())
        self._write(catalogue.COMMAND_RESULTS, key, answer(account_id, result), traceparent, came_from=place)
        self._decided.counts["command"] += 1
        self.state.stream_time = max(self.state.stream_time, at)

    def tick(self, at: int) -> None:
        """The timer at `at` (UTC ms): rolls cycles that are due, as many as one batch should hold (`A12`).

        While `state.is_due(at)` there are more to roll.
        """
        for key in self.state.due(at, TICK_ACCOUNTS_MAX):
            cause = TimerCause(self.next_offset)
            self._record(key, decide_tick(self.state.accounts[key], at, cause, self._rules), None)

    # --- Outputs ---

    def _require_place(self, key: bytes, account_id: str) -> None:
        """Raises PoisonRecord unless the record lies where its account's records belong."""
        if key != account_id.encode():
            message = "the record's key is not its account_id" if key else "the record has no key"
            raise PoisonRecord("wrong_key", message, account_id)
        if self._partitions is not None:
            home = partition_of(key, self._partitions)
            if home != self.partition:
                raise PoisonRecord("wrong_partition", f"records of this account belong on partition {home}")

    def _record(self, key: bytes, events: list[Event], traceparent: bytes | None) -> None:
        """Folds the events into the states and writes them, each followed by what it announces."""
        for event in events:
            account = self.state.apply(key, event)
            self._write(catalogue.JOURNAL, key, event, traceparent, timestamp=event.at)
            for announcement in announce(event, account):
                if isinstance(announcement, Alert):
                    self._write(catalogue.ALERTS, key, announcement, traceparent)
                else:
                    self._write(catalogue.HANDOFFS, key, announcement, traceparent)
        if events:
            self._changed[key] = (events[-1].at, traceparent)

    def _write(
        self,
        channel: Channel[Callable[[M], bytes], Any],
        key: bytes,
        message: M,
        traceparent: bytes | None,
        *,
        came_from: Place | None = None,
        timestamp: int | None = None,
    ) -> None:
        headers = channel.headers(message, traceparent, came_from)
        name = channel.topic_of(self._topics).name
        self._decided.outputs.append(Output(name, key, channel.encode(message), headers, timestamp))

    def _bury(self, record: Record, poison: PoisonRecord) -> None:
        self._decided.outputs.append(dead_letter(self._topics.dead_letters.name, record, poison))
        self._decided.counts[poison.reason] += 1


def _require_brokers_time(record: Record) -> None:
    """Raises ClusterError unless the broker stamped the record, which all limits and cycles rest on (`S7`, `C3`)."""
    if record.timestamp()[0] != LOG_APPEND_TIME:
        raise ClusterError(
            f"{record.topic()}, partition {record.partition()}, offset {record.offset()}: the record carries its "
            "producer's time; set message.timestamp.type=LogAppendTime for the topic, and delete what was written "
            "before (kafka-delete-records.sh) or commit offsets after it"
        )
