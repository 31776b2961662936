"""The pure step: the records of one partition in, their outputs and changed states out.

Decode, prefetch, decide. The only input or output is the prefetch, one call for all that a run of interactions misses.
The same step serves the worker, `botmeter replay` and the tests.

Two short ways settle nearly all interactions. Both are held equal to the domain's general decision by a property test.

- One that joins a session is only counted: `_read` for sessions in memory, `_decide` for those of this batch or the
  store.
- One that opens a session takes a version and a unit of its account and becomes one journal record, if nothing else
  follows from it: no threshold, recharge, exhaustion, rollover or past cycle (`_is_plain_start`, `_start`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from botmeter.contracts import catalogue
from botmeter.contracts.catalogue import Channel, Told
from botmeter.contracts.cloudevents import Place
from botmeter.contracts.decoding import HotInteraction, decode_command, domain_interaction
from botmeter.contracts.instants import millis
from botmeter.contracts.pseudonyms import decoder_of, named_as_it_came
from botmeter.contracts.session_started import cause_of, encode_session_started, stands_as_it_is
from botmeter.contracts.topics import Topics, partition_of
from botmeter.domain.announcements import Alert, announce, answer, balance_of
from botmeter.domain.billing import roll_due_cycles, take_command
from botmeter.domain.decision import Decision
from botmeter.domain.events import CommandCause, InteractionCause, TimerCause
from botmeter.domain.metering import Memory, take_interaction
from botmeter.domain.prices import Rules
from botmeter.domain.sessions import session_id
from botmeter.errors import PoisonRecord
from botmeter.metering.dead_letters import REFUSED, Skipped, around_skipped, dead_letter
from botmeter.metering.records import LOG_APPEND_TIME, Header, Output, Record, producers_time, traceparent_of
from botmeter.metering.state import AccountState, Changes, PartitionState
from botmeter.metering.store import NEVER
from botmeter.metering.windows import (
    HIGHEST_COVERED,
    LOWEST_COVERED,
    NEWEST,
    PackedStarts,
    WindowKey,
    chat_key,
    covers,
    unpack,
    window_key,
)

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
    #: Of each account that changed, by its key: when its last event took effect (UTC ms), and the `traceparent`.
    changed: dict[bytes, tuple[int, bytes | None]] = field(default_factory=dict)


#: An interaction that the first look could not settle: record, decoded, its key, broker time, occurred_at, window.
#: One that cannot be taken at all stands among them, so that dead letters keep the order of their records.
_Open = tuple[Record, HotInteraction | PoisonRecord, bytes, int, int, WindowKey]
_NO_WINDOW: Final = b""


class Meter:
    """Decides the records of one partition in order, batch by batch."""

    _decided: Decided  # of the micro-batch under way

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
        self.partition, self.state, self.next_offset = partition, state, next_offset
        self._partitions = partitions
        self._topics = topics
        self.follow_rules(rules)
        self._cause = cause_of(topics.interactions.name)
        self.skipped: Skipped = {}

    def follow_rules(self, rules: Rules) -> None:
        """From here on these are in force (`C5`); between two batches."""
        self._rules = rules
        self._decode = decoder_of(rules)
        # A paid session is beyond an exhausted account's reach only where nothing hands it off (S9). Where something
        # does, whether the account is exhausted by then shows only in order, so the first look settles none of them.
        self._joins_at_first_look = rules.exhaustion == "new_sessions"

    @contextmanager
    def batch(self) -> Iterator[Decided]:
        """A micro-batch: what is taken within the block. Complete after it, with a balance of each changed account."""
        self.state.begin_batch()
        self._decided = Decided(self.partition, self.state.changes)
        yield self._decided
        for key, (at, traceparent) in self._decided.changed.items():
            account = self.state.changes.accounts[key] = self.state.accounts[key].account
            self._write(catalogue.BALANCES, key, balance_of(account, at), traceparent)

    # --- Interactions ---

    def take_interactions(self, records: Sequence[Record]) -> None:
        """A run of interactions in offset order, with no command or tick between them.

        Raises PartitionRefused for records with their producer's time instead of the broker's.
        """
        for run, skipped in around_skipped(records, self.skipped):
            self._take(run)
            if skipped is not None:
                self._skip(skipped)
                self.next_offset = skipped.offset() + 1

    def _skip(self, record: Record) -> None:
        self._dead_letter(record, PoisonRecord("skipped", self.skipped[record.topic(), record.offset()]))

    def _take(self, records: Sequence[Record]) -> None:
        if not records:
            return
        still_open = self._read(records)
        self._prefetch(still_open)
        self._decide(still_open)
        self.next_offset = records[-1].offset() + 1
        self.state.stream_time = max(self.state.stream_time, records[-1].timestamp()[1])

    def _read(self, records: Sequence[Record]) -> list[_Open]:
        """Decodes, and settles at once what needs no look at the store: the hot loop."""
        accounts, windows = self.state.accounts, self.state.windows.young
        joins_at_first_look = self._joins_at_first_look
        latest, earliest = self._rules.late_limit_ms, -self._rules.ahead_limit_ms
        still_open: list[_Open] = []
        covered = ignored = 0
        # What cannot be read is a PoisonRecord, which is of no account known and so fails the first comparison.
        interactions = cast("list[HotInteraction]", self._decode([record.value() for record in records]))
        for record, hot in zip(records, interactions, strict=True):
            key = record.key()
            kind, at = record.timestamp()
            if kind != LOG_APPEND_TIME:
                raise producers_time(record)
            state = accounts.get(key)  # type: ignore[arg-type]  # a record without a key finds none
            if state is None or state.account_id != hot.account_id:
                self._place(record, hot, at, still_open)
                continue
            if (hot.actor != "end_user" or hot.bot_id is None) and at < state.open_until:
                ignored += 1
                continue
            occurred_at = millis(hot.occurred_at)
            window = (state.preview if hot.preview else state.live) + hot.end_user_id.encode()
            starts = windows.get(window)
            if (
                starts
                and LOWEST_COVERED < occurred_at - (starts & NEWEST) < HIGHEST_COVERED
                and earliest <= at - occurred_at <= latest
                and at < state.open_until
                and joins_at_first_look
            ):
                covered += 1
            else:
                still_open.append((record, hot, key, at, occurred_at, window))  # type: ignore[arg-type]
        self._decided.counts["covered"] += covered
        self._decided.counts["ignored"] += ignored
        return still_open

    def _place(self, record: Record, hot: HotInteraction | PoisonRecord, at: int, still_open: list[_Open]) -> None:
        """Leaves open what cannot be read, lies in the wrong place, or belongs to no account known."""
        key = record.key() or b""
        if not isinstance(hot, PoisonRecord):
            try:
                self._require_place(key, hot.account_id)
            except PoisonRecord as poison:
                hot = poison
            else:
                window = window_key(hot.account_id, hot.end_user_id, hot.preview)
                still_open.append((record, hot, key, at, millis(hot.occurred_at), window))
                return
        still_open.append((record, hot, key, at, 0, _NO_WINDOW))

    def _prefetch(self, still_open: list[_Open]) -> None:
        """Fetches what the open interactions may need: windows of all, chats where the sessions may run out."""
        self.state.windows.prefetch({window for *_, window in still_open if window})
        wanted = Counter([key for _, _, key, _, _, _ in still_open])
        last_at = max([at for _, _, _, at, _, _ in still_open], default=0)
        may_run_out = {key for key, count in wanted.items() if self._may_run_out(key, count, last_at)}
        if may_run_out:
            self.state.chats.prefetch(
                {
                    chat_key(hot.account_id, hot.conversation_id)
                    for _, hot, key, _, _, _ in still_open
                    if key in may_run_out and not isinstance(hot, PoisonRecord)
                }
            )

    def _may_run_out(self, key: bytes, wanted: int, last_at: int) -> bool:
        state = self.state.accounts.get(key)
        return state is not None and (state.remaining < wanted or state.open_until <= last_at)

    def _decide(self, still_open: list[_Open]) -> None:
        """Settles, in order, what the first look left open."""
        accounts, windows, counts = self.state.accounts, self.state.windows.young, self._decided.counts
        latest, earliest = self._rules.late_limit_ms, -self._rules.ahead_limit_ms
        for record, hot, key, at, occurred_at, window in still_open:
            if isinstance(hot, PoisonRecord):
                self._dead_letter(record, hot)
                continue
            state, starts = accounts.get(key), windows[window]
            if (
                state is not None
                and at < state.open_until
                and earliest <= at - occurred_at <= latest
                and hot.actor == "end_user"
                and hot.bot_id is not None
            ):
                if covers(starts, occurred_at):
                    if self._joins_at_first_look or state.account.status == "active":
                        counts["covered"] += 1
                        continue
                elif _is_plain_start(state, record, hot, occurred_at):
                    self._start(state, record, hot, key, at, occurred_at, window, starts)
                    continue
            self._decide_by_the_rules(state, record, hot, key, at, occurred_at, starts)

    def _start(
        self,
        state: AccountState,
        record: Record,
        hot: HotInteraction,
        key: bytes,
        at: int,
        occurred_at: int,
        window: WindowKey,
        starts: PackedStarts,
    ) -> None:
        """The short way of a session start: counts it, remembers the window, writes its one journal record."""
        state.used += 1
        state.version += 1
        self.state.add_start(window, starts, occurred_at, at)
        value = encode_session_started(
            state.head,
            state.version,
            at,
            session_id(state.account_id, hot.end_user_id, False, occurred_at),  # noqa: FBT003 - a live session
            hot,
            occurred_at,
            state.charge,
            state.used,
            self._cause,
            record.partition(),
            record.offset(),
        )
        traceparent = traceparent_of(record)
        headers: list[Header] = [] if traceparent is None else [("traceparent", traceparent)]
        self._decided.outputs.append(Output(self._topics.journal.name, key, value, headers, at))
        self._decided.changed[key] = (at, traceparent)
        self._decided.counts["started"] += 1

    def _decide_by_the_rules(
        self,
        state: AccountState | None,
        record: Record,
        hot: HotInteraction,
        key: bytes,
        at: int,
        occurred_at: int,
        starts: PackedStarts,
    ) -> None:
        """The general way: the domain decides, whatever follows."""
        handed_off_at = self.state.chats.young.get(chat_key(hot.account_id, hot.conversation_id), NEVER)
        memory = Memory(unpack(starts), None if handed_off_at == NEVER else handed_off_at)
        cause = InteractionCause(record.topic(), record.partition(), record.offset(), hot.event_id)
        decision = Decision(None if state is None else state.account, cause)
        outcome = take_interaction(decision, domain_interaction(hot, occurred_at), memory, at, self._rules)
        self._record(key, decision, traceparent_of(record), record.value())
        if outcome in REFUSED:
            self._dead_letter(record, PoisonRecord(outcome, REFUSED[outcome]))
        else:
            self._decided.counts[outcome] += 1

    # --- Commands and the timer ---

    def take_command(self, record: Record) -> None:
        """One command, at its place between the interactions. Raises PartitionRefused as `take_interactions`."""
        if (record.topic(), record.offset()) in self.skipped:
            self._skip(record)
            return
        key, (kind, at) = record.key() or b"", record.timestamp()
        if kind != LOG_APPEND_TIME:
            raise producers_time(record)
        try:
            account_id, command = decode_command(record.value())
            self._require_place(key, account_id)
        except PoisonRecord as poison:
            self._dead_letter(record, poison)
            return
        place = Place(record.topic(), record.partition(), record.offset())
        cause = CommandCause(place.topic, place.partition, place.offset, command.command_id, self.next_offset)
        decision = Decision(self.state.account(key), cause)
        result = take_command(decision, account_id, command, at, self._rules)
        traceparent = traceparent_of(record)
        self._record(key, decision, traceparent)
        self._write(catalogue.COMMAND_RESULTS, key, answer(account_id, result), traceparent, came_from=place)
        self._decided.counts["command"] += 1
        self.state.stream_time = max(self.state.stream_time, at)

    def tick(self, at: int, accounts_max: int = TICK_ACCOUNTS_MAX) -> int:
        """The timer at `at` (UTC ms): rolls the cycles that are due of at most so many accounts; of how many (`A12`).

        While `state.is_due(at)` there are more to roll.
        """
        due = self.state.due(at, accounts_max)
        for key in due:
            decision = Decision(self.state.account(key), TimerCause(self.next_offset))
            roll_due_cycles(decision, at, self._rules)
            self._record(key, decision, None)
        return len(due)

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

    def _record(
        self, key: bytes, decision: Decision, traceparent: bytes | None, interaction: bytes | None = None
    ) -> None:
        """Takes over what was decided and writes its events, each followed by what it announces.

        `interaction` is the value of the record, where it was one.
        """
        if not decision.events:
            return
        for event, account in zip(decision.events, decision.states, strict=True):
            self.state.remember(event)
            self._write(catalogue.JOURNAL, key, event, traceparent, timestamp=event.at)
            for announcement in announce(event, account):
                if isinstance(announcement, Alert):
                    self._write(catalogue.ALERTS, key, announcement, traceparent)
                else:
                    handoff = named_as_it_came(announcement, self._rules, interaction)
                    self._write(catalogue.HANDOFFS, key, handoff, traceparent)
        self.state.put_account(decision.account)
        self._decided.changed[key] = (decision.events[-1].at, traceparent)

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

    def _dead_letter(self, record: Record, poison: PoisonRecord) -> None:
        self._decided.outputs.append(dead_letter(self._topics.dead_letters.name, record, poison))
        self._decided.counts[poison.reason] += 1


def _is_plain_start(state: AccountState, record: Record, hot: HotInteraction, occurred_at: int) -> bool:
    """Whether a session start that is due does nothing but count, and its ids can be written as they came.

    A preview, a start in the past cycle (`A13`) and one that brings usage to where something follows go the general
    way, as do ids that JSON would have to escape.
    """
    return (
        state.used + 1 < state.counts_only_below
        and occurred_at >= state.cycle_starts_at
        and not hot.preview
        and stands_as_it_is(record.value() or b"")
    )
