"""A cold restore from the snapshots and the journal above their highest offset misses nothing, at any moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from botmeter.domain.account import Account
from botmeter.engine.snapshots import SnapshotSchedule
from metering.test_store import account
from properties import property_

INTERVAL_S = 60.0
#: More accounts than there are.
ALL = 1_000
KEYS = [b"acme", b"globex", b"initech", b"umbrella"]


@dataclass
class Journal:
    """One partition's journal and snapshots topic, as far as snapshots are concerned."""

    end: int = 0
    #: Of each account, the offsets of its events.
    offsets: dict[bytes, list[int]] = field(default_factory=lambda: defaultdict(list))
    #: Of each account, how many of its events its snapshot knows, and the journal offset it carries.
    snapshots: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    #: When each account's snapshots were written.
    written_s: dict[bytes, list[float]] = field(default_factory=lambda: defaultdict(list))

    def append(self, key: bytes) -> Account:
        self.offsets[key].append(self.end)
        self.end += 1
        return account(len(self.offsets[key]), key.decode())

    def lacking_before(self, offset: int) -> list[tuple[bytes, int]]:
        """Events before this offset that some account's snapshot does not know."""
        return [
            (key, at)
            for key, found in self.offsets.items()
            for at in found[self.snapshots.get(key, (0, 0))[0] :]
            if at < offset
        ]


def schedule_of(pending: Mapping[bytes, tuple[Account, int]]) -> SnapshotSchedule:
    return SnapshotSchedule(INTERVAL_S, pending, topic_id="a-topic")


def commit(
    journal: Journal, schedule: SnapshotSchedule, keys: list[bytes], now_s: float, too_large: Collection[bytes] = ()
) -> None:
    """One transaction: events of these accounts, and the snapshots that are due and not too large."""
    before = journal.end
    changed = {key: journal.append(key) for key in keys}
    schedule.note(changed, before)
    due = schedule.due(now_s, ALL)
    for key in too_large:
        if due.pop(key, None) is not None:
            schedule.postpone([key], now_s)
    floor = schedule.floor(before, excluding=due)
    for key, found in due.items():
        journal.snapshots[key] = (found.version, floor)
        journal.written_s[key].append(now_s)
    journal.end += 1  # the transaction's marker takes an offset too
    schedule.written(due, now_s)


@property_
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_nothing_is_lacking_below_the_highest_offset_a_snapshot_carries(seed: int, commits: int) -> None:
    dice, journal, schedule, now_s = Random(seed), Journal(), schedule_of({}), 0.0
    for _ in range(commits):
        now_s += dice.choice([0.0, 1.0, 20.0, 59.0, 60.0, 300.0])
        too_large = dice.sample(KEYS, k=dice.choice([0, 0, 1]))
        commit(journal, schedule, dice.choices(KEYS, k=dice.randint(0, 5)), now_s, too_large)

        assert journal.lacking_before(max((at for _, at in journal.snapshots.values()), default=0)) == []
        assert journal.lacking_before(schedule.floor(journal.end)) == []
        postponed = schedule.postponed()
        lacking = journal.lacking_before(schedule.floor(journal.end, excluding=postponed))
        assert all(key in postponed and at >= postponed[key] for key, at in lacking)
    for moments in journal.written_s.values():
        assert all(later - earlier >= INTERVAL_S for earlier, later in pairwise(moments))


@property_
@given(st.integers(0, 2**32), st.integers(1, 20))
def test_an_idle_accounts_last_change_is_in_a_snapshot_after_the_interval(seed: int, commits: int) -> None:
    dice, journal, schedule, now_s = Random(seed), Journal(), schedule_of({}), 0.0
    for _ in range(commits):
        now_s += dice.choice([0.0, 1.0, 20.0])
        commit(journal, schedule, dice.choices(KEYS, k=dice.randint(0, 5)), now_s)
    commit(journal, schedule, [], now_s + INTERVAL_S)

    assert journal.lacking_before(journal.end) == []
    assert schedule.floor(journal.end) == journal.end


def test_what_a_restore_found_lacking_is_written_at_once() -> None:
    schedule = schedule_of({b"acme": (account(5), 17)})

    assert schedule.floor(40) == 17
    assert schedule.due(0.0, ALL) == {b"acme": account(5)}


def test_a_snapshot_whose_transaction_failed_stays_due() -> None:
    schedule = schedule_of({})
    schedule.note({b"acme": account(1)}, 0)

    assert schedule.due(1.0, ALL) == schedule.due(2.0, ALL) == {b"acme": account(1)}


def test_a_snapshot_that_is_too_large_is_looked_at_again_after_the_interval_and_holds_the_floor() -> None:
    schedule = schedule_of({b"acme": (account(1), 7)})
    schedule.postpone(schedule.due(0.0, ALL), 0.0)

    assert schedule.due(INTERVAL_S / 2, ALL) == {}
    assert schedule.due(INTERVAL_S, ALL) == {b"acme": account(1)}
    assert schedule.floor(40) == 7


def test_accounts_that_were_postponed_can_be_told_from_those_that_wait_for_their_interval() -> None:
    schedule = schedule_of({b"acme": (account(1), 7), b"globex": (account(1, "globex"), 3)})
    schedule.due(0.0, ALL)
    schedule.postpone([b"acme"], 0.0)

    assert schedule.postponed() == {b"acme": 7}
    schedule.written([b"globex"], 0.0)
    assert (schedule.floor(40), schedule.floor(40, excluding=schedule.postponed())) == (7, 40)
    schedule.due(INTERVAL_S, ALL)
    schedule.written([b"acme"], INTERVAL_S)
    assert (schedule.postponed(), schedule.floor(40)) == ({}, 40)


class ObservedKey(bytes):
    """Counts how often a mapping asked for it."""

    asked = 0

    def __hash__(self) -> int:
        ObservedKey.asked += 1
        return super().__hash__()


def test_a_commit_at_which_nothing_is_due_does_not_go_through_all_that_is_pending() -> None:
    keys = [ObservedKey(f"a-{number}".encode()) for number in range(100)]
    schedule = schedule_of({})
    schedule.note({key: account(1) for key in keys}, 0)
    schedule.written(schedule.due(0.0, ALL), 0.0)
    schedule.note({key: account(2) for key in keys}, 1)
    ObservedKey.asked = 0

    assert schedule.due(INTERVAL_S - 1, ALL) == {}
    assert ObservedKey.asked == 0
