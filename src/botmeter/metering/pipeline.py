"""The pure step: the records of one partition in, their outputs and changed states out.

Decode, prefetch, decide. The only I/O is the prefetch: one call for all states that a run of interactions needs and
memory lacks. The worker, `botmeter replay` and the tests use the same step.

Two short ways decide nearly all interactions. A property test compares both with the domain's general decision.

- An interaction that joins a session is only counted: `_read` for sessions in memory, `_decide` for those of this batch
  or the store.
- An interaction that opens a session takes a version and a unit of its account and becomes one journal record, if it
  has no other consequence: no threshold, recharge, exhaustion, rollover or past cycle (`_is_plain_start`, `_start`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from botmeter.contracts import catalogue
from botmeter.contracts.catalogue import AccountMessage, Channel
from botmeter.contracts.cloudevents import Place
from botmeter.contracts.decoding import HotInteraction, decode_command, domain_interaction
from botmeter.contracts.instants import millis
from botmeter.contracts.pseudonyms import decoder_of, with_original_end_user
from botmeter.contracts.session_started import cause_of, encode_session_started, needs_no_escaping
from botmeter.contracts.topics import Topics, partition_of
from botmeter.domain.announcements import Alert, announce, answer, balance_of
from botmeter.domain.billing import roll_due_cycles, take_command
from botmeter.domain.decision import Decision
from botmeter.domain.events import CommandCause, InteractionCause, TimerCause
from botmeter.domain.metering import Memory, take_interaction
from botmeter.domain.prices import Rules
from botmeter.domain.sessions import session_id
from botmeter.errors import PoisonRecord
from botmeter.metering.dead_letters import REFUSED, Skipped, dead_letter, split_at_skipped
from botmeter.metering.records import LOG_APPEND_TIME, Header, Output, Record, traceparent_of, wrong_timestamp_type
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

M = TypeVar("M", bound=AccountMessage)

#: On the first of a month, all cycles of a time zone end at once. Each takes tens of microseconds and a few records.
TICK_ACCOUNTS_MAX: Final = 5_000


@dataclass(slots=True)
class Decided:
    """The result of a micro-batch of one partition."""

    partition: int
    changes: Changes
    outputs: list[Output] = field(default_factory=list)
    #: How often each outcome occurred: outcomes of interactions, `command`, `cycle`, dead letters by reason.
    counts: Counter[str] = field(default_factory=Counter)
    #: For each account that changed, by its key: when its last event took effect (UTC ms), and the `traceparent`.
    changed: dict[bytes, tuple[int, bytes | None]] = field(default_factory=dict)


#: An interaction that the first pass did not decide: record, decoded, its key, broker time, occurred_at, window.
#: It may be a poison record: then the dead letters keep the order of their records.
_Undecided = tuple[Record, HotInteraction | PoisonRecord, bytes, int, int, WindowKey]
_NO_WINDOW: Final = b""


class Meter:
    """Decides the records of one partition in order, batch by batch."""

    _decided: Decided  # the result of the current micro-batch

    def __init__(
        self,
        partition: int,
        partitions: int | None,
        state: PartitionState,
        topics: Topics,
        rules: Rules,
        next_offset: int,
    ) -> None:
        """`partitions` is the number of partitions of the input topics, None when a tape does not record it.

        `next_offset` is the offset of the first interaction not yet taken (`J4`).
        """
        self.partition, self.state, self.next_offset = partition, state, next_offset
        self._partitions = partitions
        self._topics = topics
        self.follow_rules(rules)
        self._cause = cause_of(topics.interactions.name)
        self.skipped: Skipped = {}

    def follow_rules(self, rules: Rules) -> None:
        """Puts the rules in force from the next batch on (`C5`). Called between two batches."""
        self._rules = rules
        self._decode = decoder_of(rules)
        # With `all_chats`, a chat with a paid session is handed off while its account is exhausted (S9). Whether it is
        # exhausted is only known when records are decided in order, so then the first pass decides no such chat.
        self._first_pass_counts_joins = rules.exhaustion == "new_sessions"

    @contextmanager
    def batch(self) -> Iterator[Decided]:
        """Yields the result of the records taken within the block; complete after it, with the changed balances."""
        self.state.begin_batch()
        self._decided = Decided(self.partition, self.state.changes)
        yield self._decided
        for key, (at, traceparent) in self._decided.changed.items():
            account = self.state.changes.accounts[key] = self.state.accounts[key].account
            self._write(catalogue.BALANCES, key, balance_of(account, at), traceparent)

    # --- Interactions ---

    def take_interactions(self, records: Sequence[Record]) -> None:
        """Decides a run of interactions in offset order, with no command or tick between them.

        Raises PartitionRefused for records that carry the producer's timestamp instead of the broker's.
        """
        for run, skipped in split_at_skipped(records, self.skipped):
            self._take(run)
            if skipped is not None:
                self._skip(skipped)
                self.next_offset = skipped.offset() + 1

    def _skip(self, record: Record) -> None:
        self._dead_letter(record, PoisonRecord("skipped", self.skipped[record.topic(), record.offset()]))

    def _take(self, records: Sequence[Record]) -> None:
        if not records:
            return
        undecided = self._read(records)
        self._prefetch(undecided)
        self._decide(undecided)
        self.next_offset = records[-1].offset() + 1
        self.state.stream_time = max(self.state.stream_time, records[-1].timestamp()[1])

    def _read(self, records: Sequence[Record]) -> list[_Undecided]:
        """First pass and hot loop: decodes, counts what needs no store, and returns the undecided interactions."""
        accounts, windows = self.state.accounts, self.state.windows.young
        counts_joins = self._first_pass_counts_joins
        latest, earliest = self._rules.late_limit_ms, -self._rules.ahead_limit_ms
        undecided: list[_Undecided] = []
        covered = ignored = 0
        # A PoisonRecord stands for a record that cannot be decoded. Its account is None, so the first comparison fails.
        interactions = cast("list[HotInteraction]", self._decode([record.value() for record in records]))
        for record, hot in zip(records, interactions, strict=True):
            key = record.key()
            kind, at = record.timestamp()
            if kind != LOG_APPEND_TIME:
                raise wrong_timestamp_type(record)
            state = accounts.get(key)  # type: ignore[arg-type]  # a record without a key finds no account
            if state is None or state.account_id != hot.account_id:
                self._defer(record, hot, at, undecided)
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
                and counts_joins
            ):
                covered += 1
            else:
                undecided.append((record, hot, key, at, occurred_at, window))  # type: ignore[arg-type]
        self._decided.counts["covered"] += covered
        self._decided.counts["ignored"] += ignored
        return undecided

    def _defer(self, record: Record, hot: HotInteraction | PoisonRecord, at: int, undecided: list[_Undecided]) -> None:
        """Leaves undecided a record that is poison, has a wrong key or partition, or belongs to no known account."""
        key = record.key() or b""
        if not isinstance(hot, PoisonRecord):
            try:
                self._require_place(key, hot.account_id)
            except PoisonRecord as poison:
                hot = poison
            else:
                window = window_key(hot.account_id, hot.end_user_id, hot.preview)
                undecided.append((record, hot, key, at, millis(hot.occurred_at), window))
                return
        undecided.append((record, hot, key, at, 0, _NO_WINDOW))

    def _prefetch(self, undecided: list[_Undecided]) -> None:
        """Fetches the states that undecided interactions may need: all windows, and chats if sessions may run out."""
        self.state.windows.prefetch({window for *_, window in undecided if window})
        wanted = Counter([key for _, _, key, _, _, _ in undecided])
        last_at = max([at for _, _, _, at, _, _ in undecided], default=0)
        may_run_out = {key for key, count in wanted.items() if self._may_run_out(key, count, last_at)}
        if may_run_out:
            self.state.chats.prefetch(
                {
                    chat_key(hot.account_id, hot.conversation_id)
                    for _, hot, key, _, _, _ in undecided
                    if key in may_run_out and not isinstance(hot, PoisonRecord)
                }
            )

    def _may_run_out(self, key: bytes, wanted: int, last_at: int) -> bool:
        state = self.state.accounts.get(key)
        return state is not None and (state.remaining < wanted or state.open_until <= last_at)

    def _decide(self, undecided: list[_Undecided]) -> None:
        """Second pass: decides the interactions that the first pass left, in order."""
        accounts, windows, counts = self.state.accounts, self.state.windows.young, self._decided.counts
        latest, earliest = self._rules.late_limit_ms, -self._rules.ahead_limit_ms
        for record, hot, key, at, occurred_at, window in undecided:
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
                    if self._first_pass_counts_joins or state.account.status == "active":
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
        """Decides a session start the short way: counts it, adds it to its window, writes its one journal record."""
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
        """Decides an interaction the general way: the domain decides it and all its consequences."""
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
        """Decides one command, between two runs of interactions. Raises PartitionRefused like `take_interactions`."""
        if (record.topic(), record.offset()) in self.skipped:
            self._skip(record)
            return
        key, (kind, at) = record.key() or b"", record.timestamp()
        if kind != LOG_APPEND_TIME:
            raise wrong_timestamp_type(record)
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
        """Rolls the cycles due at `at` (UTC ms) of at most `accounts_max` accounts; returns of how many (`A12`).

        More cycles are due while `state.is_due(at)`.
        """
        due = self.state.due(at, accounts_max)
        for key in due:
            decision = Decision(self.state.account(key), TimerCause(self.next_offset))
            roll_due_cycles(decision, at, self._rules)
            self._record(key, decision, None)
        return len(due)

    # --- Outputs ---

    def _require_place(self, key: bytes, account_id: str) -> None:
        """Raises PoisonRecord unless the record has its account's key and partition."""
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
        """Applies a decision to the states and writes its events, each followed by its alerts and handoffs.

        `interaction` is the value of the record, if the record is an interaction.
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
                    handoff = with_original_end_user(announcement, self._rules, interaction)
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
    """Whether a session start only counts, and its ids need no escaping in JSON.

    All others go the general way: previews, starts in the past cycle (`A13`), and starts that reach
    `counts_only_below`.
    """
    return (
        state.used + 1 < state.counts_only_below
        and occurred_at >= state.cycle_starts_at
        and not hot.preview
        and needs_no_escaping(record.value() or b"")
    )
