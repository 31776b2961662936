"""The view of one partition: its accounts, the sessions of the last day, and how far the journal has been read.

The rules are the worker's own: the state is the fold of the journal (`J1`), and an answer is what `decide_interaction`
would decide on it now. One thread writes it and others read it without locks: every value is replaced as a whole.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final, Literal

from botmeter.domain import events as ev
from botmeter.domain.account import Account, evolve
from botmeter.domain.events import Event
from botmeter.domain.prices import DAY_MS, HOUR_MS
from botmeter.domain.sessions import Starts

#: Account, end-user, preview.
WindowKey = tuple[str, str, bool]
#: An input record: topic and offset.
InputPlace = tuple[str, int]

#: Older sessions cannot cover an interaction. The hour allows for differing clocks and the interval of expiry.
WINDOWS_KEPT_MS: Final = DAY_MS + HOUR_MS
#: The outcomes of the latest interactions, for callers who have just published one.
_OUTCOMES_KEPT: Final = 20_000


@dataclass(frozen=True, slots=True)
class Opened:
    """An interaction opened this session."""

    outcome: Literal["started"]
    session_id: str
    started_at: int


@dataclass(frozen=True, slots=True)
class HandedOff:
    """An interaction's chat went to the agents."""

    outcome: Literal["handed_off"]
    handoff_id: str
    reason: ev.ExhaustionReason


class PartitionView:
    """The view of one partition."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.accounts: dict[str, Account] = {}
        #: The next offset of the journal to read.
        self.position = 0
        #: The view includes everything committed up to this time (UTC ms, this machine's clock); 0: not complete yet.
        self.complete_at = 0
        #: By input topic: the journal shows that all records below this offset are decided.
        self.decided_below: dict[str, int] = {}
        self.outcomes: OrderedDict[InputPlace, Opened | HandedOff] = OrderedDict()
        self._young: dict[WindowKey, int] = {}
        self._old: dict[WindowKey, int] = {}
        self._young_since = 0

    def starts(self, account_id: str, end_user_id: str, preview: bool) -> Starts:  # noqa: FBT001 - part of the key
        """Returns the latest known start of a session of this end-user, unless it has expired."""
        key = (account_id, end_user_id, preview)
        start = self._young.get(key) or self._old.get(key)
        return () if start is None else (start,)

    def put_account(self, account: Account) -> None:
        """Adds an account from a snapshot. Results of commands are dropped: no answer here needs them."""
        self.accounts[account.account_id] = replace(account, handled={})

    def apply(self, event: Event, offset: int, interactions_topic: str) -> None:
        """Applies one journal event. Raises ValueError when it does not follow its account's version (`J1`)."""
        if isinstance(event, ev.SessionStarted):  # before the account, so no reader sees it charged but not open
            self._add_window(event)
        known = self.accounts.get(event.account_id)
        if known is None or event.version > known.version:
            account = evolve(known, event)
            has_result = isinstance(event, ev.CommandHandled)
            self.accounts[event.account_id] = replace(account, handled={}) if has_result else account
        self._note_cause(event, interactions_topic)
        self.position = offset + 1

    def expire_windows(self, now: int) -> None:
        """Drops expired windows. Called at intervals; `now` is UTC ms."""
        if not self._young_since:
            self._young_since = now
        elif now - self._young_since > WINDOWS_KEPT_MS:
            self._old, self._young, self._young_since = self._young, {}, now

    def _add_window(self, event: ev.SessionStarted) -> None:
        key = (event.account_id, event.end_user_id, event.preview)
        self._young[key] = max(event.started_at, self._young.get(key) or self._old.get(key) or 0)

    def _note_cause(self, event: Event, interactions_topic: str) -> None:
        cause = event.cause
        match cause:
            case ev.InteractionCause():
                self._note_decided(cause.topic, cause.offset)  # more events of the same interaction may follow
                record = (cause.topic, cause.offset)
                if isinstance(event, ev.SessionStarted):
                    self._keep_outcome(record, Opened("started", event.session_id, event.started_at))
                elif isinstance(event, ev.ChatHandedOff):
                    self._keep_outcome(record, HandedOff("handed_off", event.handoff_id, event.reason))
            case ev.CommandCause():
                self._note_decided(cause.topic, cause.offset)
                self._note_decided(interactions_topic, cause.before_offset)
            case ev.TimerCause():
                self._note_decided(interactions_topic, cause.before_offset)

    def _note_decided(self, topic: str, offset: int) -> None:
        if offset > self.decided_below.get(topic, 0):
            self.decided_below[topic] = offset

    def _keep_outcome(self, place: InputPlace, outcome: Opened | HandedOff) -> None:
        self.outcomes[place] = outcome
        if len(self.outcomes) > _OUTCOMES_KEPT:
            self.outcomes.popitem(last=False)
