"""However a partition's input is cut into micro-batches, the same comes of it: what the domain alone decides."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from botmeter.contracts.decoding import decode_command, decode_interaction, domain_interaction
from botmeter.contracts.encoding import decode_event
from botmeter.contracts.instants import millis
from botmeter.contracts.topics import partition_of
from botmeter.domain.account import Account, fold
from botmeter.domain.events import Event, TimerCause
from botmeter.domain.prices import Rules
from botmeter.errors import PoisonRecord
from botmeter.metering.pipeline import Decided, Meter
from botmeter.metering.records import Output
from botmeter.metering.state import PartitionState
from botmeter.metering.store import MemoryStore, StoreMark, StoreUpdate
from botmeter.replay.tape import TapeRecord
from domain.ledger import Ledger
from properties import property_

from .partition_inputs import (
    COMMANDS,
    INTERACTIONS,
    PARTITION,
    PARTITIONS,
    TOPICS,
    Item,
    input_of,
    lengths,
    openings,
    rules,
    seeds,
)

inputs = st.builds(input_of, seeds, openings, lengths)
#: Sizes of batches; what is left makes the last one.
splits = st.lists(st.integers(0, 40), max_size=12)
#: So few that the caches turn all the time.
CACHE_WINDOWS = 4
MARK = StoreMark(journal_offset=0, snapshot_floor=0, topic_id="", written_at=0)


@dataclass
class Run:
    """One way through the input: what came out of it, and the states it ended in."""

    outputs: dict[str, list[Output]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)
    accounts: dict[bytes, Account] = field(default_factory=dict)
    #: Every window and chat that changed, as it was at the end.
    windows: dict[bytes, int] = field(default_factory=dict)
    chats: dict[bytes, int] = field(default_factory=dict)

    @property
    def journal(self) -> list[Event]:
        return [decode_event(output.value or b"") for output in self.outputs[TOPICS.journal.name]]

    def told(self) -> dict[str, list[Output]]:
        """All topics but the balances, of which only the last of each account does not depend on the batches."""
        return {topic: outputs for topic, outputs in self.outputs.items() if topic != TOPICS.balances.name}

    def last_balances(self) -> dict[bytes | None, Output]:
        return {output.key: output for output in self.outputs[TOPICS.balances.name]}


def meter(batches: Sequence[Sequence[Item]], rules_: Rules) -> Run:
    """Feeds the batches as a worker does: each is written to the store while the one after it is decided."""
    run, store = Run(), MemoryStore()
    state = PartitionState(store, rules_, CACHE_WINDOWS)
    pure = Meter(PARTITION, PARTITIONS, state, TOPICS, rules_, next_offset=0)
    under_way: Decided | None = None
    for batch in batches:
        decided = decide(pure, batch)
        if under_way is not None:
            store.write(StoreUpdate({}, under_way.changes.windows, under_way.changes.chats, MARK))
        under_way = decided
        for output in decided.outputs:
            run.outputs[output.topic].append(output)
        run.counts += decided.counts
        run.windows |= decided.changes.windows
        run.chats |= decided.changes.chats
    run.accounts = dict(state.folded())
    return run


def decide(pure: Meter, batch: Sequence[Item]) -> Decided:
    """One micro-batch: interactions without a command or a tick between them are taken together."""
    together: list[TapeRecord] = []
    with pure.batch() as decided:
        for item in batch:
            if isinstance(item, TapeRecord) and item.topic() == INTERACTIONS:
                together.append(item)
                continue
            pure.take_interactions(together)
            together = []
            if isinstance(item, TapeRecord):
                pure.take_command(item)
            else:
                pure.tick(item)
        pure.take_interactions(together)
    return decided


def one_by_one(items: Sequence[Item], rules_: Rules) -> Run:
    return meter([[item] for item in items], rules_)


def cut(items: Sequence[Item], sizes: Sequence[int]) -> list[Sequence[Item]]:
    """Batches of these sizes, the last of which goes on to the end."""
    batches, begin = [], 0
    for size in sizes:
        batches.append(items[begin : begin + size])
        begin += size
    return [*batches, items[begin:]]


@property_
@given(inputs, splits, rules)
def test_any_split_into_micro_batches_gives_the_same(items: list[Item], sizes: list[int], rules_: Rules) -> None:
    single, split = one_by_one(items, rules_), meter(cut(items, sizes), rules_)

    assert split.told() == single.told()
    assert split.last_balances() == single.last_balances()
    assert split.accounts == single.accounts
    assert split.counts == single.counts


@property_
@given(inputs, splits, rules)
def test_j1_the_accounts_are_the_fold_of_the_journal(items: list[Item], sizes: list[int], rules_: Rules) -> None:
    run = meter(cut(items, sizes), rules_)
    journals: dict[bytes, list[Event]] = defaultdict(list)
    for event in run.journal:
        journals[event.account_id.encode()].append(event)

    assert run.accounts == {key: fold(None, events) for key, events in journals.items()}
    for events in journals.values():
        assert [event.version for event in events] == [*range(1, len(events) + 1)]


@property_
@given(inputs, splits, rules)
def test_a_balance_is_told_once_a_batch_for_each_account_it_changed(
    items: list[Item], sizes: list[int], rules_: Rules
) -> None:
    state = PartitionState(MemoryStore(), rules_, cache_windows=1_000)
    pure = Meter(PARTITION, PARTITIONS, state, TOPICS, rules_, next_offset=0)
    for batch in cut(items, sizes):
        decided = decide(pure, batch)
        balances = [output.key for output in decided.outputs if output.topic == TOPICS.balances.name]
        changed = {output.key for output in decided.outputs if output.topic == TOPICS.journal.name}

        assert len(balances) == len(set(balances))
        assert set(balances) == changed == decided.changes.accounts.keys()


@property_
@given(inputs, splits, rules)
def test_the_short_way_decides_what_the_domain_decides(items: list[Item], sizes: list[int], rules_: Rules) -> None:
    run, (events, outcomes) = meter(cut(items, sizes), rules_), by_the_domain_alone(items, rules_)
    counted = +Counter({outcome: run.counts[outcome] for outcome in outcomes})

    assert {key: list(map(without_cause, found)) for key, found in by_account(run.journal).items()} == events
    assert counted == outcomes


def by_account(journal: Sequence[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for event in journal:
        found[event.account_id].append(event)
    return found


def by_the_domain_alone(items: Sequence[Item], rules_: Rules) -> tuple[dict[str, list[Event]], Counter[str]]:
    """What the domain decides on every readable record, fed to it one by one: events by account, outcomes."""
    ledgers: dict[str, Ledger] = {}
    for item in items:
        if isinstance(item, TapeRecord):
            tell(ledgers, item, rules_)
        else:
            for ledger in ledgers.values():
                if ledger.state is not None:
                    ledger.take_tick(item)
    events = {account_id: list(map(without_cause, ledger.journal)) for account_id, ledger in ledgers.items()}
    outcomes = Counter(str(outcome) for ledger in ledgers.values() for outcome in ledger.outcomes)
    return {account_id: found for account_id, found in events.items() if found}, outcomes


def tell(ledgers: dict[str, Ledger], record: TapeRecord, rules_: Rules) -> None:
    """Feeds a record to its account's ledger, if it can be read and lies where it belongs."""
    at = record.timestamp()[1]
    try:
        if record.topic() == COMMANDS:
            account_id, command = decode_command(record.value())
            if is_in_its_place(record, account_id):
                ledgers.setdefault(account_id, Ledger(rules_, account_id)).take_command(command, at)
        else:
            hot = decode_interaction(record.value())
            if is_in_its_place(record, hot.account_id):
                interaction = domain_interaction(hot, millis(hot.occurred_at))
                ledgers.setdefault(hot.account_id, Ledger(rules_, hot.account_id)).take_interaction(interaction, at)
    except PoisonRecord:
        return


def is_in_its_place(record: TapeRecord, account_id: str) -> bool:
    key = account_id.encode()
    return record.key() == key and partition_of(key, PARTITIONS) == PARTITION


def without_cause(event: Event) -> Event:
    """The ledger numbers its records in its own way."""
    return replace(event, cause=TimerCause(0))
