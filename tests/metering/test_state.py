"""The states of a partition in memory: two generations of windows, and which accounts' cycles are due."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmeter.domain.account import Account
from botmeter.domain.cycles import Cycle
from botmeter.domain.prices import Rules
from botmeter.metering.state import Generations, PartitionState
from botmeter.metering.store import NEVER, MemoryStore
from botmeter.metering.windows import pack
from properties import property_

from .test_store import C1, C2, U1, U2, account, update


class Shelf:
    """Where a cache fetches from; remembers what it was asked."""

    def __init__(self) -> None:
        self.values: dict[bytes, int] = {}
        self.asked: list[list[bytes]] = []

    def fetch(self, keys: Sequence[bytes]) -> list[int]:
        self.asked.append(sorted(keys))
        return [self.values.get(key, 0) for key in keys]


def test_what_is_missing_is_fetched_in_one_call_and_then_known() -> None:
    shelf = Shelf()
    cache = Generations(shelf.fetch, size_max=10, absent=0)
    cache.prefetch([b"a", b"b"])
    cache.prefetch([b"a", b"b", b"c"])

    assert shelf.asked == [[b"a", b"b"], [b"c"]]
    assert cache.young == {b"a": 0, b"b": 0, b"c": 0}


def test_what_is_used_in_every_generation_is_never_fetched_again() -> None:
    shelf = Shelf()
    cache = Generations(shelf.fetch, size_max=4, absent=0)
    for number in range(10):
        cache.turn()
        cache.prefetch([b"a", b"b-%d" % number, b"c-%d" % number])

    assert [keys for keys in shelf.asked if b"a" in keys] == [[b"a", b"b-0", b"c-0"]]
    assert len(cache.young) <= 6


def test_a_store_that_was_empty_is_not_asked_until_something_was_forgotten() -> None:
    shelf = Shelf()
    cache = Generations(shelf.fetch, size_max=4, absent=-1)
    cache.is_whole = True
    cache.prefetch([b"a", b"b", b"c"])
    assert cache.young == {b"a": -1, b"b": -1, b"c": -1}

    cache.turn()  # a generation is full
    cache.prefetch([b"d", b"e"])
    cache.turn()  # this one is not
    assert shelf.asked == []

    cache.prefetch([b"f"])
    cache.turn()  # nothing knows of a, b and c any more
    cache.prefetch([b"a", b"d"])
    assert shelf.asked == [[b"a"]]
    assert cache.young == {b"a": 0, b"d": -1}


def test_a_store_that_answers_for_fewer_keys_than_it_was_asked_for_is_not_believed() -> None:
    cache = Generations(lambda keys: [0] * (len(keys) - 1), size_max=10, absent=0)

    with pytest.raises(ValueError, match="shorter"):
        cache.prefetch([b"a", b"b"])


def test_a_generation_is_half_of_what_may_be_kept_and_at_least_one() -> None:
    for size_max, generation in ((0, 1), (1, 1), (3, 1), (4, 2), (7, 3)):
        cache = Generations(Shelf().fetch, size_max, absent=0)
        cache.prefetch([b"%d" % number for number in range(generation)])
        cache.turn()
        assert len(cache.young) == generation

        cache.prefetch([b"one more"])
        cache.turn()
        assert cache.young == {}


@property_
@given(
    st.lists(st.lists(st.sampled_from([b"%d" % number for number in range(8)]), max_size=6), max_size=30),
    st.integers(0, 8),
)
def test_a_change_is_seen_while_the_store_is_a_batch_behind(batches: list[list[bytes]], size_max: int) -> None:
    shelf, truth, under_way = Shelf(), dict[bytes, int](), dict[bytes, int]()
    cache = Generations(shelf.fetch, size_max, absent=0)
    for keys in batches:
        cache.turn()
        cache.prefetch(set(keys))
        changed = {}
        for key in keys:
            assert cache.young[key] == truth.get(key, 0)
            cache.young[key] = changed[key] = truth[key] = truth.get(key, 0) + 1
        shelf.values.update(under_way)  # what the batch before decided is committed by now
        under_way = changed


def with_cycle(account_id: str, ends_at: int, status: str = "active") -> Account:
    found = account(1, account_id)
    return Account(
        account_id, 1, status, found.terms, Cycle(1, 0, ends_at), found.allowance, None, {}  # type: ignore[arg-type]
    )  # fmt: skip


def test_accounts_are_due_from_the_boundary_on_earliest_first_and_once() -> None:
    state = PartitionState(MemoryStore(), Rules(), cache_windows=10)
    for account_id, ends_at in (("late", 30), ("early", 10), ("next", 20), ("early", 10)):  # this one changed since
        state.put_account(with_cycle(account_id, ends_at))

    assert state.due(9, 10) == []
    assert state.due(20, 10) == [b"early", b"next"]
    assert state.due(20, 10) == []
    assert state.due(1_000, 10) == [b"late"]


def test_no_more_accounts_are_due_at_once_than_asked_for() -> None:
    state = PartitionState(MemoryStore(), Rules(), cache_windows=10)
    for number in range(5):
        state.put_account(with_cycle(f"a-{number}", number))

    assert [len(state.due(4, 2)) for _ in range(4) if state.is_due(4)] == [2, 2, 1]
    assert not state.is_due(4)


def test_a_boundary_that_moved_and_a_closed_account_are_not_due() -> None:
    state = PartitionState(MemoryStore(), Rules(), cache_windows=10)
    state.put_account(with_cycle("moved", 10))
    state.put_account(with_cycle("moved", 50))
    state.put_account(with_cycle("closed", 10, "closed"))

    assert state.due(20, 10) == []
    assert state.due(50, 10) == [b"moved"]


def test_the_account_whose_cycle_may_end_first_is_told_and_stays_due() -> None:
    state = PartitionState(MemoryStore(), Rules(), cache_windows=10)
    assert state.soonest() == {}

    for account_id, ends_at in (("late", 30), ("early", 10), ("next", 20)):
        state.put_account(with_cycle(account_id, ends_at))
    assert {key: account.cycle.ends_at for key, account in state.soonest().items()} == {b"early": 10}
    assert state.due(10, 10) == [b"early"]


def test_s5_t4_a_store_that_was_written_before_is_asked_for_its_windows_and_chats() -> None:
    store = MemoryStore()
    store.write(update(windows={U1: pack((5,))}, chats={C1: 7}))
    state = PartitionState(store, Rules(), cache_windows=10)
    state.windows.prefetch([U1, U2])
    state.chats.prefetch([C1, C2])

    assert state.windows.young == {U1: pack((5,)), U2: 0}
    assert state.chats.young == {C1: 7, C2: NEVER}


def test_a_store_that_holds_accounts_gives_them_to_the_state() -> None:
    class Filled(MemoryStore):
        """As one on disk that was closed."""

        def accounts(self) -> Iterator[Account]:
            return iter([with_cycle("early", 10), with_cycle("late", 30)])

    state = PartitionState(Filled(), Rules(), cache_windows=10)

    assert state.account(b"early") == with_cycle("early", 10)
    assert state.folded() == {b"early": with_cycle("early", 10), b"late": with_cycle("late", 30)}
    assert state.account(b"unheard") is None
    assert state.due(30, 10) == [b"early", b"late"]
