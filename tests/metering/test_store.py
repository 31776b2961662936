"""What a store must do, by every implementation; and what only the one on disk can."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from botmeter.contracts.encoding import encode_account
from botmeter.domain.account import Account, Allowance, Terms
from botmeter.domain.cycles import Cycle
from botmeter.domain.prices import DAY_MS
from botmeter.domain.sessions import Starts
from botmeter.engine.store_rocksdb import RocksDbStore, wipe
from botmeter.errors import TaskCorrupted
from botmeter.metering.store import NEVER, MemoryStore, Store, StoreMark, StoreUpdate
from botmeter.metering.windows import WindowKey, chat_key, pack, unpack, window_key

MARK = StoreMark(
    journal_offset=7,
    snapshot_floor=3,
    topic_id="a-topic",
    written_at=1_000,
    snapshots_topic_id="another-topic",
    postponed={"ähnlich": 2},
)
U1, U1_PREVIEW, U2 = (
    window_key("acme", "u-1", False),
    window_key("acme", "u-1", True),
    window_key("acme", "u-2", False),
)
C1, C2 = chat_key("acme", "c-1"), chat_key("acme", "c-2")


def account(version: int, account_id: str = "acme") -> Account:
    contacts, thresholds = ("admin@acme.example",), (80,)
    terms = Terms("growth", "UTC", "monthly", "monthly", 0, contacts, thresholds, 0, 0, complimentary_granted=True)
    cycle, allowance = Cycle(1, 0, 31 * DAY_MS), Allowance("complimentary", 500, 3, 0, 0, ())
    return Account(account_id, version, "active", terms, cycle, allowance, None, {})


def starts(store: Store, keys: Sequence[WindowKey]) -> list[Starts]:
    return [unpack(packed) for packed in store.windows(keys)]


def update(**changed: Mapping[Any, Any]) -> StoreUpdate:
    return StoreUpdate(mark=MARK, **{"accounts": {}, "windows": {}, "chats": {}, **changed})


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
    assert [*store.windows([U1])] == [0]
    assert [*store.chats([C1])] == [NEVER]
    assert starts(store, []) == []
    assert [*store.chats([])] == []


def test_answers_come_in_the_order_of_the_keys_and_live_is_not_preview(store: Store) -> None:
    store.write(update(windows={U1: pack((1, DAY_MS + 1)), U2: pack((5,))}, chats={C2: -3}))

    assert starts(store, [U2, U1_PREVIEW, U1]) == [(5,), (), (1, DAY_MS + 1)]
    assert [*store.chats([C1, C2])] == [NEVER, -3]


def test_the_last_write_counts(store: Store) -> None:
    store.write(update(windows={U1: pack((1,)), U2: pack((2,))}, chats={C1: 1}))
    store.write(update(windows={U1: pack((3,))}, chats={C1: 2}))

    assert starts(store, [U1, U2]) == [(3,), (2,)]
    assert [*store.chats([C1])] == [2]
    assert store.mark() == MARK


def test_a_store_in_memory_keeps_all_for_the_length_of_a_tape() -> None:
    store = MemoryStore()
    store.write(update(windows={U1: pack((1,))}, chats={C1: 1}))

    assert store.sweep(before=DAY_MS, limit=10) == 0
    assert (starts(store, [U1]), [*store.chats([C1])]) == ([(1,)], [1])


def test_ids_that_begin_alike_are_kept_apart(store: Store) -> None:
    keys = [
        window_key("a", "pb", False),
        window_key("a", "b", True),
        window_key("ap", "b", False),
        window_key("a", "b", False),
        window_key("ä", "😀", True),
    ]
    store.write(update(windows={key: pack((number,)) for number, key in enumerate(keys)}))

    assert starts(store, keys) == [(number,) for number in range(len(keys))]


def test_a_store_on_disk_holds_everything_after_it_was_closed(reopened: Callable[[], RocksDbStore]) -> None:
    ours = {"acme": account(4), "ähnlich": account(9, "ähnlich")}
    accounts = {account_id: encode_account(found) for account_id, found in ours.items()}
    reopened().write(update(accounts=accounts, windows={U1: pack((1,))}, chats={C1: 2}))
    store = reopened()

    assert store.mark() == MARK
    assert {found.account_id: found for found in store.accounts()} == ours
    assert starts(store, [U1]) == [(1,)]
    assert [*store.chats([C1])] == [2]


def test_a_sweep_drops_what_is_past_use_and_walks_on_where_it_stopped(reopened: Callable[[], RocksDbStore]) -> None:
    store = reopened()
    old, young, both = window_key("acme", "a", False), window_key("acme", "b", False), window_key("acme", "c", False)
    store.write(update(windows={old: pack((10,)), young: pack((100,)), both: pack((10, 100))}))

    assert [store.sweep(before=50, limit=1) for _ in range(3)] == [1, 0, 0]
    assert starts(store, [old, young, both]) == [(), (100,), (10, 100)]
    assert store.sweep(before=200, limit=10) == 2
    assert starts(store, [old, young, both]) == [(), (), ()]


def test_a_store_of_another_layout_cannot_be_opened(reopened: Callable[[], RocksDbStore]) -> None:
    store = reopened()
    store.write(update())
    store._db.put(b"layout", b"1")

    with pytest.raises(TaskCorrupted, match="another version of botmeter has written it"):
        reopened()


def test_a_store_that_is_open_already_cannot_be_opened(reopened: Callable[[], RocksDbStore], tmp_path: Path) -> None:
    reopened()
    with pytest.raises(TaskCorrupted, match="cannot open the store"):
        RocksDbStore(tmp_path / "partition-0")


def test_a_store_with_rubbish_in_it_cannot_be_opened_until_it_is_wiped(tmp_path: Path) -> None:
    path = tmp_path / "partition-0"
    store = RocksDbStore(path)
    store.write(update(windows={U1: pack((1,))}))
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


def break_a_block(store: RocksDbStore, path: Path, key: bytes) -> None:
    """Closes a store and spoils the block of this key on disk, the first of its file, as a failing disk would."""
    for family in (store._db, *store._families.values()):
        family.flush()
    [file] = [path / live["name"].lstrip("/") for live in store._db.live_files() if live["start_key"] == key]
    store.close()
    content = bytearray(file.read_bytes())
    content[10] ^= 0x5A
    file.write_bytes(content)


#: The first key of each column family, and whatever needs it.
USES: list[tuple[bytes, Callable[[RocksDbStore], object]]] = [
    (b"layout", lambda store: store.mark()),
    (b"acme", lambda store: [*store.accounts()]),
    (b"acme\0lu-1", lambda store: store.windows([U1])),
    (b"acme\0lu-1", lambda store: store.sweep(before=0, limit=10)),
    (b"acme\0c-1", lambda store: store.chats([C1])),
    (b"acme\0c-1", lambda store: store.sweep(before=0, limit=10)),
]


@pytest.mark.parametrize(("key", "use"), USES)
def test_a_broken_block_fails_what_needs_it_and_the_store_cannot_be_opened_again_until_it_is_wiped(
    key: bytes, use: Callable[[RocksDbStore], object], tmp_path: Path
) -> None:
    path = tmp_path / "partition-0"
    store = RocksDbStore(path)
    store.write(update(accounts={"acme": encode_account(account(1))}, windows={U1: pack((1,))}, chats={C1: 2}))
    break_a_block(store, path, key)
    with pytest.raises(TaskCorrupted, match="failed: Corruption"), closing(RocksDbStore(path)) as store:
        use(store)

    with pytest.raises(TaskCorrupted, match="it failed before"):
        RocksDbStore(path)
    wipe(path)
    RocksDbStore(path).close()


def test_an_account_that_cannot_be_read_fails_the_store(reopened: Callable[[], RocksDbStore]) -> None:
    store = reopened()
    store.write(update(accounts={"acme": encode_account(account(1)), "globex": b"rubbish"}))

    with pytest.raises(TaskCorrupted, match="not an account"):
        [*store.accounts()]


#: Half a moment, none at all, and moments before and after all that can be.
NO_TIMES = [b"half", b"", b"\x80" + bytes(7), b"\x7f" + b"\xff" * 7, bytes(8) + b"\x80" + bytes(7)]


@pytest.mark.parametrize("value", NO_TIMES)
def test_a_window_that_nobody_wrote_fails_the_store(reopened: Callable[[], RocksDbStore], value: bytes) -> None:
    store = reopened()
    store._families["windows"].put(U1, value)

    with pytest.raises(TaskCorrupted, match="failed"):
        store.windows([U1])
    with pytest.raises(TaskCorrupted, match="it failed before"):
        reopened()


def test_a_chat_that_nobody_wrote_fails_the_store(reopened: Callable[[], RocksDbStore]) -> None:
    store = reopened()
    store._families["chats"].put(C1, b"half")

    with pytest.raises(TaskCorrupted, match="failed"):
        store.chats([C1])


@pytest.mark.parametrize("value", [b"half", b"[" * 100_000, b'"\\ud800"', b"{}"])
def test_a_mark_that_nobody_wrote_fails_the_store(reopened: Callable[[], RocksDbStore], value: bytes) -> None:
    store = reopened()
    store._db.put(b"mark", value)

    with pytest.raises(TaskCorrupted, match="failed"):
        store.mark()


def test_a_store_that_was_closed_is_not_written_to(reopened: Callable[[], RocksDbStore]) -> None:
    """A partition is given up while its commit is under way."""
    store = reopened()
    store.write(update(windows={U1: pack((1,))}))
    store.close()
    store.write(update(windows={U1: pack((2,))}))

    assert store.sweep(before=100, limit=10) == 0
    assert starts(reopened(), [U1]) == [(1,)]


def test_a_store_can_be_closed_in_the_midst_of_writes(tmp_path: Path) -> None:
    """Whichever moment it is, each is done or skipped."""
    for round_ in range(20):
        store, has_begun, is_over = RocksDbStore(tmp_path / f"partition-{round_}"), Flag(), Flag()

        def write(store: RocksDbStore = store, has_begun: Flag = has_begun, is_over: Flag = is_over) -> None:
            while not is_over.is_set():
                store.write(update(windows={U1: pack((1,))}))
                store.sweep(before=0, limit=10)
                has_begun.set()

        with ThreadPoolExecutor(1) as threads:
            writing = threads.submit(write)
            assert has_begun.wait(60)
            store.close()
            is_over.set()
            writing.result()


def test_the_stores_of_a_worker_share_one_cache_of_blocks(tmp_path: Path) -> None:
    """However many partitions a worker owns, its memory is bounded."""
    with closing(RocksDbStore(tmp_path / "partition-0")) as store:
        store.write(update(windows={U1: pack((1,))}))
    with (
        closing(RocksDbStore(tmp_path / "partition-0")) as read,
        closing(RocksDbStore(tmp_path / "partition-1")) as idle,
    ):
        assert starts(read, [U1]) == [(1,)]

        for family in ("accounts", "windows", "chats"):
            usage = {store._families[family].property_int_value("rocksdb.block-cache-usage") for store in (read, idle)}
            assert usage == {read._db.property_int_value("rocksdb.block-cache-usage")}
            assert usage != {0}
