"""What a store must do, by every implementation; and what only the one on disk can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from botmeter.contracts.encoding import encode_account
from botmeter.domain.account import Account, Allowance, Terms
from botmeter.domain.cycles import Cycle
from botmeter.domain.prices import DAY_MS
from botmeter.engine.store import NEVER, MemoryStore, Store, StoreMark, StoreUpdate
from botmeter.engine.store_rocksdb import RocksDbStore, wipe
from botmeter.errors import TaskCorrupted

MARK = StoreMark(journal_offset=7, snapshot_floor=3, topic_id="a-topic", written_at=1_000)
U1, U1_PREVIEW, U2 = ("acme", "u-1", False), ("acme", "u-1", True), ("acme", "u-2", False)
C1, C2 = ("acme", "c-1"), ("acme", "c-2")


def account(version: int, account_id: str = "acme") -> Account:
    contacts, thresholds = ("admin@acme.example",), (80,)
    terms = Terms("growth", "UTC", "monthly", "monthly", 0, contacts, thresholds, 0, 0, complimentary_granted=True)
    cycle, allowance = Cycle(1, 0, 31 * DAY_MS), Allowance("complimentary", 500, 3, 0, 0, ())
    return Account(account_id, version, "active", terms, cycle, allowance, None, {})


def update(**changed: dict[object, object]) -> StoreUpdate:
    given = {"accounts": {}, "windows": {}, "chats": {}, **changed}
    return StoreUpdate(mark=MARK, **given)  # type: ignore[arg-type]


@pytest.fixture(params=["memory", "rocksdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else RocksDbStore(tmp_path / "partition-0")
    yield made
    made.close()


@pytest.fixture
def reopened(tmp_path: Path) -> Iterator[Callable[[], RocksDbStore]]:
    """Opens the store of the test, again and again; what is open is closed first."""
    opened: list[RocksDbStore] = []

    def open_() -> RocksDbStore:
        for store in opened:
            store.close()
        opened[:] = [RocksDbStore(tmp_path / "partition-0")]
        return opened[0]

    yield open_
    for store in opened:
        store.close()


def test_what_was_never_written_is_empty(store: Store) -> None:
    assert store.mark() is None
    assert [*store.accounts()] == []
    assert [*store.windows([U1])] == [()]
    assert [*store.chats([C1])] == [NEVER]
    assert [*store.windows([])] == []
    assert [*store.chats([])] == []


def test_answers_come_in_the_order_of_the_keys_and_live_is_not_preview(store: Store) -> None:
    store.write(update(windows={U1: (1, DAY_MS + 1), U2: (5,)}, chats={C2: -3}))

    assert [*store.windows([U2, U1_PREVIEW, U1])] == [(5,), (), (1, DAY_MS + 1)]
    assert [*store.chats([C1, C2])] == [NEVER, -3]


def test_the_last_write_counts(store: Store) -> None:
    store.write(update(windows={U1: (1,), U2: (2,)}, chats={C1: 1}))
    store.write(update(windows={U1: (3,)}, chats={C1: 2}))

    assert [*store.windows([U1, U2])] == [(3,), (2,)]
    assert [*store.chats([C1])] == [2]


def test_ids_that_begin_alike_are_kept_apart(store: Store) -> None:
    keys = [("a", "pb", False), ("a", "b", True), ("ap", "b", False), ("a", "b", False), ("ä", "😀", True)]
    store.write(update(windows={key: (number,) for number, key in enumerate(keys)}))

    assert [*store.windows(keys)] == [(number,) for number in range(len(keys))]


def test_a_store_on_disk_holds_everything_after_it_was_closed(reopened: Callable[[], RocksDbStore]) -> None:
    ours = {"acme": account(4), "ähnlich": account(9, "ähnlich")}
    accounts = {account_id: encode_account(found) for account_id, found in ours.items()}
    reopened().write(update(accounts=accounts, windows={U1: (1,)}, chats={C1: 2}))  # type: ignore[arg-type]
    store = reopened()

    assert store.mark() == MARK
    assert {found.account_id: found for found in store.accounts()} == ours
    assert [*store.windows([U1])] == [(1,)]
    assert [*store.chats([C1])] == [2]


def test_a_sweep_drops_what_is_past_use_and_walks_on_where_it_stopped(reopened: Callable[[], RocksDbStore]) -> None:
    store = reopened()
    old, young, both = ("acme", "a", False), ("acme", "b", False), ("acme", "c", False)
    store.write(update(windows={old: (10,), young: (100,), both: (10, 100)}))

    assert [store.sweep(before=50, limit=1) for _ in range(3)] == [1, 0, 0]
    assert [*store.windows([old, young, both])] == [(), (100,), (10, 100)]
    assert store.sweep(before=200, limit=10) == 2
    assert [*store.windows([old, young, both])] == [(), (), ()]


def test_a_store_of_another_layout_has_no_mark(reopened: Callable[[], RocksDbStore]) -> None:
    store = reopened()
    store.write(update())
    store._db.put(b"layout", b"0")

    assert reopened().mark() is None


def test_a_store_that_is_open_already_cannot_be_opened(reopened: Callable[[], RocksDbStore], tmp_path: Path) -> None:
    reopened()
    with pytest.raises(TaskCorrupted, match="cannot open the store"):
        RocksDbStore(tmp_path / "partition-0")


def test_a_store_with_rubbish_in_it_cannot_be_opened_until_it_is_wiped(tmp_path: Path) -> None:
    path = tmp_path / "partition-0"
    store = RocksDbStore(path)
    store.write(update(windows={U1: (1,)}))
    store.close()
    (path / "CURRENT").write_text("rubbish")
    with pytest.raises(TaskCorrupted, match="cannot open the store"):
        RocksDbStore(path)
    wipe(path)
    store = RocksDbStore(path)

    assert store.mark() is None
    store.close()


def test_a_store_that_was_never_made_can_be_wiped(tmp_path: Path) -> None:
    wipe(tmp_path / "partition-0")

    assert not (tmp_path / "partition-0").exists()
