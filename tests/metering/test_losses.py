"""Below a loss that a person accepted, worker and witness read the journal over its gaps, to the same accounts."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from botmeter.contracts.cloudevents import read_dead_letter
from botmeter.contracts.encoding import decode_event
from botmeter.domain.prices import Rules
from botmeter.metering.fold import JournalFold
from botmeter.metering.pipeline import Meter
from botmeter.metering.state import PartitionState
from botmeter.metering.store import MemoryStore
from botmeter.replay.tape import TapeRecord
from botmeter.verification.states import States
from properties import property_

from .partition_inputs import PARTITION, PARTITIONS, TOPICS, Item, rules
from .test_short_ways import records_of
from .test_split import decide, inputs, meter, without_cause


@property_
@given(inputs, rules, st.data())
def test_both_fold_a_journal_with_gaps_alike(items: list[Item], rules_: Rules, data: st.DataObject) -> None:
    journal = records_of(meter([items], rules_))
    lost = data.draw(st.sets(st.integers(0, len(journal))))
    spoiled = data.draw(st.sets(st.integers(0, len(journal)), max_size=3))
    left = [spoilt(each) if each.offset() in spoiled else each for each in journal if each.offset() not in lost]
    state, states = PartitionState(MemoryStore(), rules_, cache_windows=100_000), States(rules_)
    pending: dict[bytes, int] = {}
    folding = JournalFold(state, {}, pending, gaps_below=len(journal))
    folding.take(left)
    folding.settle()
    for record in left:
        if record.offset() not in spoiled:
            states.fold_over_gap(decode_event(record.value() or b""))

    assert dict(state.folded()) == states.accounts == state.changes.accounts
    assert pending.keys() == states.accounts.keys()


def spoilt(record: TapeRecord) -> TapeRecord:
    return TapeRecord(record.topic(), PARTITION, record.offset(), record.key(), b"spoiled", record.timestamp()[1], [])


@property_
@given(inputs, rules, st.data())
def test_a_record_that_is_skipped_is_a_dead_letter_and_as_if_it_never_came(
    items: list[Item], rules_: Rules, data: st.DataObject
) -> None:
    records = [item for item in items if isinstance(item, TapeRecord)]
    skipped = data.draw(st.lists(st.sampled_from(records), unique_by=id, max_size=3))
    store = MemoryStore()
    pure = Meter(PARTITION, PARTITIONS, PartitionState(store, rules_, 100_000), TOPICS, rules_, next_offset=0)
    pure.skipped = {(record.topic(), record.offset()): "by jane" for record in skipped}
    decided = decide(pure, items)
    without = meter([[item for item in items if item not in skipped]], rules_)

    letters = [each for each in decided.outputs if each.topic == TOPICS.dead_letters.name]
    told = [read_dead_letter([*letter.headers]) for letter in letters]
    assert {each.place[::2] for each in told if each.reason == "skipped"} == pure.skipped.keys()
    assert decided.counts - Counter(skipped=len(skipped)) == without.counts
    journal = [decode_event(each.value or b"") for each in decided.outputs if each.topic == TOPICS.journal.name]
    assert list(map(without_cause, journal)) == list(map(without_cause, without.journal))
