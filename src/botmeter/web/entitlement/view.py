"""What is known of one partition: its accounts, the sessions of the last day, and how far the journal was read.

The rules are the worker's own: state is the fold of the journal (`J1`), and an answer is what `decide_interaction`
would decide on it now. Written by one thread and read by others, without locks: every value that is read is replaced as
a whole.
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
#: A record of an input: topic and offset.
InputPlace = tuple[str, int]

#: Older sessions say nothing about now. The hour covers clocks that differ and the time between two looks.
WINDOWS_KEPT_MS: Final = DAY_MS + HOUR_MS
#: What became of the latest interactions, for those who have just published one.
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
        #: The next offset of the journal to be read.
        self.position = 0
        #: Up to this moment (UTC ms, this machine's clock) all that was committed is in the view; 0: never yet.
        self.level_at = 0
        #: By input topic: the first offset of which the journal does not tell yet whether it was decided.
        self.taken: dict[str, int] = {}
        self.outcomes: OrderedDict[InputPlace, Opened | HandedOff] = OrderedDict()
        self._young: dict[WindowKey, int] = {}
        self._old: dict[WindowKey, int] = {}
        self._young_since = 0

    def starts(self, account_id: str, end_user_id: str, preview: bool) -> Starts:  # noqa: FBT001 - part of the key
        """The latest known start of a session of this end-user, if it may still matter."""
        key = (account_id, end_user_id, preview)
        start = self._young.get(key) or self._old.get(key)
        return () if start is None else (start,)

    def put_account(self, account: Account) -> None:
        """Takes over an account from a snapshot. Results of commands are not kept: nothing here is asked about them."""
        self.accounts[account.account_id] = replace(account, handled={})

    def apply(self, event: Event, offset: int, interactions_topic: str) -> None:
        """Folds one event of the journal in. Raises ValueError when it does not follow its account's version (`J1`)."""
        if isinstance(event, ev.SessionStarted):  # before the account: so no moment shows it charged and not open
            self._remember(event)
        known = self.accounts.get(event.account_id)
        if known is None or event.version > known.version:
            account = evolve(known, event)
            forgets = isinstance(event, ev.CommandHandled)
            self.accounts[event.account_id] = replace(account, handled={}) if forgets else account
        self._note_cause(event, interactions_topic)
        self.position = offset + 1

    def forget_old_windows(self, now: int) -> None:
        """Called now and then; `now` is UTC ms."""
        if not self._young_since:
            self._young_since = now
        elif now - self._young_since > WINDOWS_KEPT_MS:
            self._old, self._young, self._young_since = self._young, {}, now

    def _remember(self, event: ev.SessionStarted) -> None:
        key = (event.account_id, event.end_user_id, event.preview)
        self._young[key] = max(event.started_at, self._young.get(key) or self._old.get(key) or 0)

    def _note_cause(self, event: Event, interactions_topic: str) -> None:
        cause = event.cause
        match cause:
            case ev.InteractionCause():
                self._take(cause.topic, cause.offset)  # more events of the same interaction may follow
                if isinstance(event, ev.SessionStarted):
                    self._note((cause.topic, cause.offset), Opened("started", event.session_id, event.started_at))
                elif isinstance(event, ev.ChatHandedOff):
                    self._note((cause.topic, cause.offset), HandedOff("handed_off", event.handoff_id, event.reason))
            case ev.CommandCause():
                self._take(cause.topic, cause.offset)
                self._take(interactions_topic, cause.before_offset)
            case ev.TimerCause():
                self._take(interactions_topic, cause.before_offset)

    def _take(self, topic: str, offset: int) -> None:
        if offset > self.taken.get(topic, 0):
            self.taken[topic] = offset

    def _note(self, place: InputPlace, outcome: Opened | HandedOff) -> None:
        self.outcomes[place] = outcome
        if len(self.outcomes) > _OUTCOMES_KEPT:
            self.outcomes.popitem(last=False)
