"""The short ways of the hot path and of the restore come to what the general ones do, to the letter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from botmeter.contracts.encoding import decode_event, encode_event
from botmeter.contracts.session_started import decode_start
from botmeter.domain.events import InteractionCause, SessionStarted
from botmeter.domain.metering import counts_only_below
from botmeter.domain.prices import DAY_MS, Rules
from botmeter.domain.sessions import is_covered
from botmeter.errors import InvariantViolated
from botmeter.metering.fold import JournalFold
from botmeter.metering.state import PartitionState
from botmeter.metering.store import MemoryStore
from botmeter.metering.windows import covers, pack, unpack
from botmeter.replay.tape import TapeRecord
from properties import property_

from .partition_inputs import ACCOUNTS, COMMANDS, PARTITION, TOPICS, Item, input_of, rules
from .test_split import Run, cut, inputs, meter, splits

moments = st.integers(-62_135_596_800_000, 253_402_300_799_999)
#: Any two starts of a window are a day or more apart.
starts = st.lists(st.integers(0, 2**44 // DAY_MS), unique=True, max_size=5).map(
    lambda days: tuple(day * DAY_MS for day in sorted(days))
)


@given(starts, moments)
@example((), -62_135_596_800_000)
@example((), 253_402_300_799_999)
def test_packed_starts_are_the_starts(known: tuple[int, ...], occurred_at: int) -> None:
    assert unpack(pack(known)) == known
    assert unpack(pack((occurred_at,))) == (occurred_at,)
    assert covers(pack(known), occurred_at) == is_covered(known, occurred_at)
    for start in known:
        for near in (start - DAY_MS, start - DAY_MS + 1, start + DAY_MS - 1, start + DAY_MS):
            assert covers(pack(known), near) == is_covered(known, near)


@property_
@given(inputs, splits, rules)
def test_the_journal_of_a_start_is_what_the_event_encodes_to(
    items: list[Item], sizes: list[int], rules_: Rules
) -> None:
    for output in meter(cut(items, sizes), rules_).outputs[TOPICS.journal.name]:
        assert output.value == encode_event(decode_event(output.value or b""))


def test_the_short_way_is_taken_where_it_may_be() -> None:
    """Or the properties would prove nothing: most starts of this input count and do nothing else."""
    items, rules_ = input_of(7, len(ACCOUNTS), 150), Rules()
    short = [event for event in meter([items], rules_).journal if isinstance(event, SessionStarted)]
    state = PartitionState(MemoryStore(), rules_, cache_windows=1_000)

    assert len(short) > 20
    assert all(isinstance(event.cause, InteractionCause) for event in short)
    fold_of(meter([items], rules_), state, 1_000)
    assert max(counts_only_below(account) for account in state.folded().values()) > 100


@property_
@given(inputs, splits, rules, st.integers(1, 60))
def test_j1_folding_the_journal_in_chunks_restores_every_state(
    items: list[Item], sizes: list[int], rules_: Rules, chunk: int
) -> None:
    run = meter(cut(items, sizes), rules_)
    state = PartitionState(MemoryStore(), rules_, cache_windows=100_000)
    pending = fold_of(run, state, chunk)
    changed: dict[bytes, int] = defaultdict(int)
    for record in records_of(run):
        changed[record.key() or b""] = min(changed.get(record.key() or b"", record.offset()), record.offset())

    assert dict(state.folded()) == run.accounts == state.changes.accounts
    assert state.windows.young == run.windows
    assert state.chats.young == run.chats
    assert pending == changed


@property_
@given(inputs, rules, st.data())
def test_j1_folding_what_is_known_already_changes_nothing(
    items: list[Item], rules_: Rules, data: st.DataObject
) -> None:
    run = meter([items], rules_)
    journal = records_of(run)
    known = data.draw(st.integers(0, len(journal)))
    state = PartitionState(MemoryStore(), rules_, cache_windows=100_000)
    fold(state, journal[:known])
    fold(state, journal)

    assert dict(state.folded()) == run.accounts
    assert state.windows.young == run.windows
    assert state.chats.young == run.chats


@property_
@given(inputs, rules, st.data())
def test_j1_a_gap_in_the_journal_is_never_folded_over(items: list[Item], rules_: Rules, data: st.DataObject) -> None:
    journal = records_of(meter([items], rules_))
    lost = data.draw(st.integers(0, len(journal) - 1))
    follows = any(record.key() == journal[lost].key() for record in journal[lost + 1 :])
    state = PartitionState(MemoryStore(), rules_, cache_windows=100_000)
    rest = [*journal[:lost], *journal[lost + 1 :]]
    if not follows:
        fold(state, rest)
        return
    with pytest.raises(InvariantViolated, match="gap"):
        fold(state, rest)


def test_other_events_and_broken_ones_are_no_session_starts() -> None:
    assert decode_start(b'{"type":"account_closed","account_id":"acme"}') is None
    assert decode_start(b'{"type":"session_started","account_id":"acme"}') is None
    assert decode_start(b"") is None
    assert TOPICS.journal.name != COMMANDS


def records_of(run: Run) -> list[TapeRecord]:
    journal = run.outputs[TOPICS.journal.name]
    return [
        TapeRecord(TOPICS.journal.name, PARTITION, offset, output.key, output.value, output.timestamp or 0, [])
        for offset, output in enumerate(journal)
    ]


def fold(state: PartitionState, journal: Sequence[TapeRecord]) -> None:
    JournalFold(state, {}, {}).take(journal)


def fold_of(run: Run, state: PartitionState, chunk: int) -> dict[bytes, int]:
    """Folds the run's journal into the state, chunk by chunk; what is pending after it."""
    pending: dict[bytes, int] = {}
    folding, journal = JournalFold(state, {}, pending), records_of(run)
    for begin in range(0, len(journal), chunk):
        folding.take(journal[begin : begin + chunk])
    folding.settle()
    return pending
