"""Decides every interaction, command and timer tick by the domain once more, to get the expected outputs.

It shares the rules (`domain`) and the contract with the worker, and nothing else: no batch, no cache, no store.
"""

from __future__ import annotations

from collections.abc import Sequence as Records
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from botmeter.contracts.decoding import HotInteraction, decode_command, domain_interaction
from botmeter.contracts.instants import millis
from botmeter.contracts.pseudonyms import decoder_of, with_original_end_user
from botmeter.contracts.topics import Topics, partition_of
from botmeter.domain.announcements import Alert, announce, answer
from botmeter.domain.billing import decide_command, decide_tick
from botmeter.domain.events import CommandCause, Event, InteractionCause, TimerCause
from botmeter.domain.metering import Memory, decide_interaction
from botmeter.domain.prices import Rules
from botmeter.domain.sessions import is_covered
from botmeter.errors import PoisonRecord
from botmeter.verification.balances import Balances
from botmeter.verification.dead_letters import DeadLetters, Refused
from botmeter.verification.findings import Difference, Findings
from botmeter.verification.ledger import Ledger
from botmeter.verification.records import Record, place_of
from botmeter.verification.sequence import Sequence
from botmeter.verification.states import States

#: Outcomes of interactions that are dead letters.
_REFUSALS = frozenset({"in_future", "too_late", "unknown_account", "account_closed"})


@dataclass(frozen=True, slots=True)
class Outputs:
    """The outputs of one partition, each compared as soon as its input is decided."""

    journal: Sequence
    alerts: Sequence
    handoffs: Sequence
    results: Sequence
    dead_letters: DeadLetters
    balances: Balances

    @property
    def sequences(self) -> tuple[Sequence, ...]:
        """The outputs that are compared one by one."""
        return self.journal, self.alerts, self.handoffs, self.results, self.dead_letters


class Recount:
    """Decides the records of one partition in the given order."""

    def __init__(
        self,
        partition: int,
        partitions: int,
        topics: Topics,
        rules: Rules,
        states: States,
        outputs: Outputs,
        ledger: Ledger,
        findings: Findings,
    ) -> None:
        self._partition, self._partitions = partition, partitions
        self._topics = topics
        self._states, self._outputs, self._ledger, self._findings = states, outputs, ledger, findings
        #: The offset of the first interaction not taken yet (`J4`).
        self.next_offset = 0
        self._last_at = 0
        #: Records that operators skipped, by topic and offset.
        self.skipped: AbstractSet[tuple[str, int]] = frozenset()
        self._fast_path_statuses: tuple[str, ...] = ()
        self.follow_rules(rules)

    def follow_rules(self, rules: Rules) -> None:
        """Decides by these rules from here on (`C5`)."""
        self._rules = rules
        self._decode = decoder_of(rules)
        self._fast_path_statuses = ("active", "exhausted") if rules.exhaustion == "new_sessions" else ("active",)

    def take_interactions(self, records: Records[Record]) -> None:
        """Takes a run of interactions in offset order.

        Most of them join a session that is paid for, or are not metered, and have no output. They take a fast path
        instead of `decide_interaction`, with the same result: the account's cycle has not ended, so nothing rolls; it
        is not closed, and its covered chats are not handed off; the time limits are kept; and a known start covers the
        interaction.
        """
        states, rules = self._states, self._rules
        accounts, windows = states.accounts, states.windows
        ahead_ms, late_ms = rules.ahead_limit_ms, -rules.late_limit_ms
        fast_path_statuses = self._fast_path_statuses
        covered = ignored = at = 0
        skipped = self.skipped
        for record in records:
            if skipped and self._skips(record):
                continue
            key, at = record.key() or b"", record.timestamp()[1]
            account = accounts.get(key)
            try:
                [hot] = self._decode([record.value()])
                if isinstance(hot, PoisonRecord):
                    raise hot
                if account is None or account.account_id != hot.account_id:
                    self._require_place(key, hot.account_id)
            except PoisonRecord as poison:
                self._refuse(record, poison.reason)
                continue
            if account is None or at >= account.cycle.ends_at:
                self._decide(record, key, hot, at)
                continue
            if hot.actor != "end_user" or hot.bot_id is None:
                ignored += 1
                continue
            starts = windows.get((hot.account_id, hot.end_user_id, hot.preview))
            if starts is not None and account.status in fast_path_statuses:
                occurred_at = millis(hot.occurred_at)
                if late_ms <= occurred_at - at <= ahead_ms and is_covered(starts, occurred_at):
                    covered += 1
                    continue
            self._decide(record, key, hot, at)
        self._count(records, covered, ignored, at)

    def _skips(self, record: Record) -> bool:
        """Whether the record became a dead letter because an operator skipped it: not if it was taken before that."""
        if (record.topic(), record.offset()) not in self.skipped:
            return False
        identity = (record.topic(), record.partition(), record.offset())
        is_skipped = self._outputs.dead_letters.has(identity, "skipped")
        if is_skipped:
            self._refuse(record, "skipped")
        return is_skipped

    def _count(self, records: Records[Record], covered: int, ignored: int, last_at: int) -> None:
        if not records:
            return
        outcomes = self._findings.outcomes
        self._findings.interactions += len(records)
        outcomes["covered"] += covered
        outcomes["ignored"] += ignored
        self.next_offset = records[-1].offset() + 1
        self._last_at = max(self._last_at, last_at)
        self._findings.verified_up_to = max(self._findings.verified_up_to, self._last_at)
        self._states.expire(self._last_at)

    def _decide(self, record: Record, key: bytes, hot: HotInteraction, at: int) -> None:
        states = self._states
        interaction = domain_interaction(hot, millis(hot.occurred_at))
        memory = Memory(
            states.windows.get((hot.account_id, hot.end_user_id, hot.preview), ()),
            states.chats.get((hot.account_id, hot.conversation_id)),
        )
        cause = InteractionCause(record.topic(), record.partition(), record.offset(), hot.event_id)
        events, outcome = decide_interaction(states.accounts.get(key), interaction, memory, at, cause, self._rules)
        if events:
            self._expect(key, events, place_of(record), record.value())
        if outcome in _REFUSALS:
            self._refuse(record, outcome)
        else:
            self._findings.outcomes[outcome] += 1

    def take_command(self, record: Record) -> None:
        """Takes a command, at its place between the interactions."""
        self._findings.commands += 1
        if self._skips(record):
            return
        key, at = record.key() or b"", record.timestamp()[1]
        try:
            account_id, command = decode_command(record.value())
            self._require_place(key, account_id)
        except PoisonRecord as poison:
            self._refuse(record, poison.reason)
            return
        topic, partition, offset = record.topic(), record.partition(), record.offset()
        cause = CommandCause(topic, partition, offset, command.command_id, self.next_offset)
        account = self._states.accounts.get(key)
        events, result = decide_command(account_id, account, command, at, cause, self._rules)
        source = place_of(record)
        if events:
            # A command without events is not counted: it is taken as late as possible here, not as the worker took it.
            self._findings.commands_overtaken += at < self._last_at
            self._expect(key, events, source)
        self._outputs.results.expect(answer(account_id, result), (topic, partition, offset), source)

    def tick(self, account_id: str, at: int) -> None:
        """Takes a timer tick for one account, whose cycle ended at `at` (UTC ms)."""
        key = account_id.encode()
        account = self._states.accounts.get(key)
        if account is None:
            return
        events = decide_tick(account, at, TimerCause(self.next_offset), self._rules)
        if events:
            self._expect(key, events, f"the timer, before {self._topics.interactions.name}@{self.next_offset}")

    def _require_place(self, key: bytes, account_id: str) -> None:
        """Raises PoisonRecord unless the record has its account's key and lies on that key's partition."""
        if key != account_id.encode():
            raise PoisonRecord("wrong_key", "the record's key is not its account_id")
        if partition_of(key, self._partitions) != self._partition:
            raise PoisonRecord("wrong_partition", "the record lies on another partition than its key's")

    def _refuse(self, record: Record, reason: str) -> None:
        identity = (record.topic(), record.partition(), record.offset())
        self._findings.outcomes[reason] += 1
        self._outputs.dead_letters.expect(Refused(record, reason), identity, place_of(record))

    def _expect(self, key: bytes, events: list[Event], source: str, interaction: bytes | None = None) -> None:
        """Expects these events and their announcements; then the account may have a balance at its version.

        `interaction` is the value of the record that caused them, if that was an interaction.
        """
        outputs = self._outputs
        for event in events:
            account = self._states.apply(key, event)
            identity = (event.account_id, event.version)
            outputs.journal.expect(event, identity, source)
            if not self._ledger.take(event):
                self._report_overshoot(event, source)
            for announcement in announce(event, account):
                if isinstance(announcement, Alert):
                    outputs.alerts.expect(announcement, identity, source)
                else:
                    handoff = with_original_end_user(announcement, self._rules, interaction)
                    outputs.handoffs.expect(handoff, identity, source)
        outputs.balances.account_reached(account, events[-1].at)

    def _report_overshoot(self, event: Event, source: str) -> None:
        self._findings.overshoot += 1
        self._findings.add(
            Difference(
                "overshoot",
                self._topics.journal.name,
                self._partition,
                None,
                f"version {event.version} charges a session beyond the allowance (T6)",
                account_id=event.account_id,
                source=source,
            )
        )
