"""Folds the journal of one partition into its states, about as fast as the meter decides.

Nearly all events are session starts. Only the fields that the states need are decoded from these, and a start in the
current cycle that follows its account's last event is counted without building an event. All other events go through
`evolve`. A property test compares the two ways.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from botmeter.contracts.encoding import decode_event
from botmeter.contracts.instants import millis
from botmeter.contracts.session_started import JournaledStart, decode_start
from botmeter.domain import events as ev
from botmeter.domain.events import Event
from botmeter.errors import InvariantViolated
from botmeter.metering.records import Record
from botmeter.metering.state import PartitionState
from botmeter.metering.windows import WindowKey, chat_key, window_key


class JournalFold:
    """Folds records of a partition's journal, in offset order, into its states."""

    def __init__(
        self,
        state: PartitionState,
        snapshot_versions: Mapping[bytes, int],
        pending: dict[bytes, int],
        gaps_below: int = 0,
    ) -> None:
        """`snapshot_versions`: the version of each account's snapshot, where one was read.

        `pending` is updated: for each account, the offset of the first event that its snapshot may lack. Below the
        offset `gaps_below`, events may be missing or unreadable: an operator has accepted that loss.
        """
        self._state = state
        self._snapshot_versions = snapshot_versions
        self._pending = pending
        self._gaps_below = gaps_below
        self._counted: set[bytes] = set()

    def take(self, records: Sequence[Record]) -> None:
        """Folds the next records. Events at or below an account's version change only windows and chats.

        Raises InvariantViolated when an event does not follow its account's version, or cannot be read.
        """
        if records and records[0].offset() < self._gaps_below:
            records = [record for record in records if self._must_be_folded(record)]
        events: list[JournaledStart | Event] = [decode_start(r.value() or b"") or _event(r) for r in records]
        windows = self._windows_of(events)
        self._state.windows.prefetch(set(windows))
        self._state.chats.prefetch(
            {chat_key(e.account_id, e.conversation_id) for e in events if isinstance(e, ev.ChatHandedOff)}
        )
        window = iter(windows)
        for record, event in zip(records, events, strict=True):
            if isinstance(event, JournaledStart):
                self._fold_start(record, event, next(window))
            else:
                if isinstance(event, ev.SessionStarted):
                    next(window)
                self._fold(record, event)

    def _must_be_folded(self, record: Record) -> bool:
        """Whether the record is folded: not if it is unreadable and below an accepted loss."""
        if record.offset() >= self._gaps_below or decode_start(record.value() or b""):
            return True
        try:
            decode_event(record.value() or b"")
        except ValueError:
            return False
        return True

    def _windows_of(self, events: Sequence[JournaledStart | Event]) -> list[WindowKey]:
        """Returns the window of each session start among the events, in order."""
        accounts, windows = self._state.accounts, []
        for event in events:
            if not isinstance(event, JournaledStart | ev.SessionStarted):
                continue
            state = accounts.get(event.account_id.encode())
            if state is None:  # opened among these events
                windows.append(window_key(event.account_id, event.end_user_id, event.preview))
            else:
                windows.append((state.preview if event.preview else state.live) + event.end_user_id.encode())
        return windows

    def settle(self) -> None:
        """Adds the accounts whose sessions were only counted to the changes, with their current state."""
        for key in self._counted:
            self._state.changes.accounts[key] = self._state.accounts[key].account
        self._counted.clear()

    def _fold_start(self, record: Record, start: JournaledStart, window: WindowKey) -> None:
        key, version = start.account_id.encode(), start.version
        state = self._state.accounts.get(key)
        if state is None or (version > state.version and start.cycle_number != state.cycle_number):
            self._fold(record, _event(record))  # in the past cycle (A13), or of an unknown account
            return
        self._note_pending(key, version, record)
        if version == state.version + 1 or (version > state.version and record.offset() < self._gaps_below):
            state.version, state.used = version, start.used
            self._counted.add(key)
        elif version > state.version:
            raise _gap(record, f"version {version} follows version {state.version}")
        known = self._state.windows.young[window]
        # The broker time only matters when the window has other starts.
        at = millis(start.at) if known else 0
        self._state.add_start(window, known, millis(start.started_at), at)

    def _fold(self, record: Record, event: Event) -> None:
        key = event.account_id.encode()
        self._note_pending(key, event.version, record)
        state = self._state.accounts.get(key)
        if state is not None and event.version <= state.version:
            self._state.remember(event)
            return
        if record.offset() < self._gaps_below:
            self._state.apply_over_gap(key, event)
            if key not in self._state.accounts:
                self._pending.pop(key, None)
            return
        try:
            self._state.apply(key, event)
        except ValueError as gap:
            raise _gap(record, str(gap)) from gap

    def _note_pending(self, key: bytes, version: int, record: Record) -> None:
        if version > self._snapshot_versions.get(key, 0) and key not in self._pending:
            self._pending[key] = record.offset()


def _event(record: Record) -> Event:
    try:
        return decode_event(record.value() or b"")
    except ValueError as error:
        raise InvariantViolated(f"the journal at offset {record.offset()} cannot be read: {error}") from error


def _gap(record: Record, what: str) -> InvariantViolated:
    return InvariantViolated(f"the journal has a gap at offset {record.offset()}: {what}")
