"""What the fold of a journal keeps beside the states, and what it says of a journal that it cannot fold."""

from __future__ import annotations

import json

import pytest

from botmeter.contracts.encoding import encode_event
from botmeter.domain.events import Event
from botmeter.domain.prices import DAY_MS
from botmeter.errors import InvariantViolated
from botmeter.metering.fold import JournalFold
from botmeter.metering.state import PartitionState
from botmeter.metering.store import MemoryStore
from botmeter.replay.tape import TapeRecord
from domain.ledger import APRIL, NOON, SMALL, given, interaction, open_account, purchase, sessions, tick

from .partition_inputs import PARTITION, TOPICS

#: 1 to 3 open the account, 4 to 8 are sessions, with an alert and the exhaustion among them, then a chat is handed off.
JOURNAL = given(open_account(), sessions(5), interaction("late", conversation="c-late")).ledger.journal


def record(event: Event, offset: int | None = None) -> TapeRecord:
    """At the offset before its version, where nothing else is said."""
    place = event.version - 1 if offset is None else offset
    return TapeRecord(TOPICS.journal.name, PARTITION, place, b"acme", encode_event(event), event.at, [])


def state_of(journal: list[Event]) -> PartitionState:
    state = PartitionState(MemoryStore(), SMALL, cache_windows=1_000)
    JournalFold(state, {}, {}).take([record(event) for event in journal])
    return state


@pytest.mark.parametrize("lost", range(1, len(JOURNAL)))
def test_j1_a_gap_is_told_with_its_offset_and_both_versions(lost: int) -> None:
    """A session start goes the short way, all else the general one."""
    left = [event for event in JOURNAL if event.version != lost]
    told = "has no account before it" if lost == 1 else f"version {lost + 1} follows version {lost - 1}$"

    with pytest.raises(InvariantViolated, match=rf"^the journal has a gap at offset {lost}: (acme: )?.*{told}"):
        state_of(left)


def test_j1_a_record_that_cannot_be_read_is_told_with_its_offset() -> None:
    fold = JournalFold(state_of([]), {}, {})

    for offset, value in ((0, b"spoiled"), (17, b"spoiled"), (18, None)):
        with pytest.raises(InvariantViolated, match=rf"^the journal at offset {offset} cannot be read: "):
            fold.take([TapeRecord(TOPICS.journal.name, PARTITION, offset, b"acme", value, NOON, [])])


def test_j1_session_starts_in_another_spelling_of_json_are_folded_like_all_others() -> None:
    """As where a tool has copied the journal."""
    records = [record(event) for event in JOURNAL]
    for place in (3, 5):  # each has starts before or after it that are spelled as always
        value = json.dumps(json.loads(records[place].value() or b""), indent=1).encode()
        records[place] = TapeRecord(TOPICS.journal.name, PARTITION, place, b"acme", value, NOON, [])
    state = state_of([])
    JournalFold(state, {}, {}).take(records)

    as_written = state_of(JOURNAL)
    assert state.folded() == as_written.folded()
    assert state.windows.young == as_written.windows.young


@pytest.mark.parametrize("snapshot", range(len(JOURNAL) + 1))
def test_pending_is_the_offset_of_the_first_event_that_the_snapshot_lacks(snapshot: int) -> None:
    pending: dict[bytes, int] = {}
    fold = JournalFold(state_of([]), {b"acme": snapshot}, pending)
    for event in JOURNAL:
        fold.take([record(event)])

    assert pending == ({b"acme": snapshot} if snapshot < len(JOURNAL) else {})


@pytest.mark.parametrize("lost", range(1, len(JOURNAL)))
def test_a_gap_below_an_accepted_loss_is_read_over_and_one_at_it_is_not(lost: int) -> None:
    """Lost is one event; the record after it lies at the offset `lost`."""
    left = [record(event) for event in JOURNAL if event.version != lost]
    JournalFold(state_of([]), {}, {}, gaps_below=lost + 1).take(left[:lost])

    with pytest.raises(InvariantViolated, match="the journal has a gap"):
        JournalFold(state_of([]), {}, {}, gaps_below=lost).take(left[:lost])


def test_what_cannot_be_read_below_an_accepted_loss_is_left_out_and_at_it_is_not() -> None:
    records = [record(event) for event in JOURNAL]
    records[3] = TapeRecord(TOPICS.journal.name, PARTITION, 3, b"acme", b"spoiled", NOON, [])
    state = state_of([])
    JournalFold(state, {}, {}, gaps_below=5).take(records)
    assert state.accounts[b"acme"].version == len(JOURNAL)

    JournalFold(state_of([]), {}, {}, gaps_below=4).take(records[:4])
    with pytest.raises(InvariantViolated, match="the journal at offset 3 cannot be read"):
        JournalFold(state_of([]), {}, {}, gaps_below=3).take(records[:4])


def test_sessions_that_were_only_counted_are_among_the_changes_once_they_are_settled() -> None:
    journal = given(open_account(), purchase(1), sessions(3)).ledger.journal
    state = state_of(journal[:-2])
    state.begin_batch()
    fold = JournalFold(state, {}, {})
    fold.take([record(event) for event in journal[-2:]])
    assert state.changes.accounts == {}

    fold.settle()
    [account] = state.changes.accounts.values()
    assert (account.version, account.allowance.used) == (journal[-1].version, 3)

    state.begin_batch()
    fold.settle()
    assert state.changes.accounts == {}


def test_t4_a_handoff_that_is_folded_again_does_not_take_the_last_one_back() -> None:
    journal = given(open_account("free"), interaction(at=NOON), interaction(at=NOON + DAY_MS)).ledger.journal
    state = state_of(journal)
    JournalFold(state, {}, {}).take([record(event) for event in journal[:-1]])

    assert [*state.chats.young.values()] == [NOON + DAY_MS]


def test_t4_a_handoff_that_the_snapshot_knows_is_remembered() -> None:
    state = state_of([])
    state.put_account(given(open_account(), sessions(5), interaction("late", conversation="c-late")).account)
    JournalFold(state, {}, {}).take([record(event) for event in JOURNAL])

    assert [*state.chats.young.values()] == [JOURNAL[-1].at]


def test_a13_a_late_session_that_the_snapshot_knows_does_not_count_in_the_current_cycle() -> None:
    """Nor does it below an accepted loss, where versions may be missing."""
    journal = given(open_account(), purchase(1), sessions(2), tick(APRIL), sessions(1)).when(
        interaction("late", occurred_at=APRIL - 1)
    )
    state = state_of([])
    state.put_account(journal.account)
    events = journal.ledger.journal
    JournalFold(state, {}, {}, gaps_below=len(events)).take([record(event) for event in events])

    assert state.account(b"acme") == journal.account
    assert state.accounts[b"acme"].remaining == journal.account.allowance.remaining


def test_t4_a_handoff_after_a_gap_that_was_accepted_is_remembered() -> None:
    state = state_of([])
    left = [record(event) for event in JOURNAL if event.version != len(JOURNAL) - 1]
    JournalFold(state, {}, {}, gaps_below=len(JOURNAL)).take(left)

    assert [*state.chats.young.values()] == [JOURNAL[-1].at]


def test_s5_sessions_and_handoffs_of_an_account_whose_opening_is_lost_are_remembered() -> None:
    state = state_of([])
    JournalFold(state, {}, {}, gaps_below=len(JOURNAL)).take([record(event) for event in JOURNAL[1:]])

    assert state.accounts == {}
    assert len([starts for starts in state.windows.young.values() if starts]) == 5
    assert [*state.chats.young.values()] == [JOURNAL[-1].at]
