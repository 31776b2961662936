"""Properties that hold for every life of an account, drawn by hypothesis (S5, S6, A4, T2 to T6, J1, J2, C1)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from botmeter.domain import events as ev
from botmeter.domain.account import fold
from botmeter.domain.announcements import HandedOffChat, ResumedBot, SuspendedBot
from botmeter.domain.cycles import BillingCycle, boundaries_around, boundary
from botmeter.domain.events import Event, TimerCause
from botmeter.domain.prices import DAY_MS, HOUR_MS, PriceBook, Rules

from . import ledger as tale
from .ledger import MARCH, NOON, SMALL, Ledger
from .moves import Ask, Move, Say, live, lives, prompt_says

property_ = settings(max_examples=300)

#: So many sessions and so wide a limit that only the order of arrival is judged.
PLENTY: Final = Rules(prices=PriceBook(complimentary_sessions=10_000), late_limit_ms=30 * DAY_MS)

# --- Sessions --------------------------------------------------------------------------------------------------------

#: Moments of five days, at and beside half hours, so that windows often touch.
moments: Final = st.builds(
    lambda half_hours, beside: half_hours * HOUR_MS // 2 + beside, st.integers(0, 240), st.sampled_from([-1, 0, 0, 1])
)


def sessions_charged(occurred: list[int], rules: Rules = PLENTY) -> int:
    """How many sessions one end-user is charged whose interactions arrive in this order, all after they occurred."""
    after_all = NOON + max(occurred, default=0)
    says = [tale.interaction(at=after_all + n, occurred_at=NOON + moment) for n, moment in enumerate(occurred)]
    return tale.given(tale.open_account(), *says, rules=rules).account.allowance.used


@property_
@given(st.lists(moments, max_size=30).flatmap(lambda drawn: st.tuples(st.just(drawn), st.permutations(drawn))))
def test_s5_no_order_of_arrival_charges_more_than_the_sorted_one(orders: tuple[list[int], list[int]]) -> None:
    drawn, shuffled = orders

    assert sessions_charged(shuffled) <= sessions_charged(sorted(drawn))


@property_
@given(st.lists(moments, max_size=30).map(sorted))
def test_s5_sorted_arrival_charges_what_fixed_windows_cost(occurred: list[int]) -> None:
    expected, window_ends = 0, None
    for moment in occurred:
        if window_ends is None or moment >= window_ends:
            expected, window_ends = expected + 1, moment + DAY_MS

    assert expected == sessions_charged(occurred)


@property_
@given(st.lists(moments, max_size=20), st.lists(st.integers(0, 99), max_size=20))
def test_s6_repeated_interactions_charge_nothing(occurred: list[int], repeats: list[int]) -> None:
    repeated = [*occurred]
    for number in repeats:
        if occurred:
            moment = occurred[number % len(occurred)]
            repeated.insert(repeated.index(moment) + 1 + number % (len(repeated) - repeated.index(moment)), moment)

    assert sessions_charged(occurred) == sessions_charged(repeated)


@property_
@given(lives())
def test_s5_no_two_sessions_of_a_window_key_start_within_24_hours(moves: list[Move]) -> None:
    starts = defaultdict(list)
    for event in live(moves, Ledger()).journal:
        if isinstance(event, ev.SessionStarted):
            starts[event.end_user_id, event.preview].append(event.started_at)

    for known in map(sorted, starts.values()):
        assert all(later - earlier >= DAY_MS for earlier, later in pairwise(known))


# --- The journal -----------------------------------------------------------------------------------------------------


@property_
@given(lives())
def test_j1_the_state_is_the_fold_of_the_journal_and_versions_have_no_gaps(moves: list[Move]) -> None:
    ledger = live(moves, Ledger())
    half = len(ledger.journal) // 2

    assert ledger.account == fold(None, ledger.journal)
    assert ledger.account == fold(fold(None, ledger.journal[:half]), ledger.journal[half:])
    assert [*range(1, len(ledger.journal) + 1)] == [event.version for event in ledger.journal]


@property_
@given(lives())
def test_j2_the_same_life_twice_leaves_the_same_journal(moves: list[Move]) -> None:
    assert live(moves, Ledger()).journal == live(moves, Ledger()).journal


@property_
@given(lives(), st.data())
def test_c1_every_command_sent_again_changes_nothing(moves: list[Move], data: st.DataObject) -> None:
    """Each command is repeated at once, and some once more together with a later record, within its 30 days."""
    once, again, known = live(moves, Ledger()), Ledger(), list[tuple[int, Ask]]()
    for move in moves:
        at = again.now + move.wait
        recent = [ask for asked_at, ask in known if at - asked_at <= 30 * DAY_MS]
        for ask in data.draw(st.lists(st.sampled_from(recent), max_size=2)) if recent else []:
            again.take_command(ask.command, at)
        replace(move, wait=at - again.now).take(again)
        if isinstance(move, Ask):
            again.take_command(move.command, at)
            known.append((at, move))

    assert without_cause(once.journal) == without_cause(again.journal)
    assert set(once.results) == set(again.results)
    assert once.announcements == again.announcements


def without_cause(journal: list[Event]) -> list[Event]:
    """Repetitions take offsets, and a due cycle may be rolled by one of them; all else is the same."""
    return [replace(event, cause=TimerCause(0)) for event in journal]


# --- The counter -----------------------------------------------------------------------------------------------------


class Recount:
    """Counts the sessions of a journal anew: those charged to each pool against what the pool was given."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.cycle_number, self.total, self.charged = 1, 0, 0
        self.past_total, self.past_charged = 0, 0
        self.thresholds: tuple[int, ...] = ()
        self.due: list[int] = []

    def read(self, event: Event) -> None:
        assert not self.due or isinstance(event, ev.ThresholdReached), f"no alert at {self.due}"
        match event:
            case ev.AccountOpened():
                self.thresholds = event.thresholds
            case ev.ThresholdsSet():
                self.thresholds = event.percents
            case ev.ComplimentaryGranted():
                self.total, self.charged = event.sessions, 0
            case ev.ComplimentaryForfeited():
                self.total, self.charged = 0, 0
            case ev.PacksPurchased() | ev.SessionsCredited():
                self.total += event.sessions
            case ev.CycleStarted():
                self.cycle_number = event.number
                self.past_total, self.past_charged = self.total, self.charged
                if event.pool != "complimentary":
                    self.total, self.charged = event.packs * self.rules.prices.pack_sessions, 0
            case ev.SessionStarted() if event.cycle_number == self.cycle_number:
                self.charge(event)
            case ev.SessionStarted():
                self.past_charged += 1
                assert (self.cycle_number - 1, self.past_charged) == (event.cycle_number, event.used)
            case ev.ThresholdReached():
                assert self.due.pop(0) == event.percent
            case ev.SessionsExhausted():
                assert self.charged == self.total
            case ev.SessionsAvailable():
                assert self.charged < self.total

    def charge(self, event: ev.SessionStarted) -> None:
        """One session more; the thresholds it crosses must alert next, ascending (T1), and only they (T2)."""
        before, self.charged = self.charged, self.charged + 1
        self.due = [p for p in self.thresholds if before * 100 < p * self.total <= self.charged * 100]
        assert self.charged == event.used


@property_
@given(lives())
def test_t6_no_cycle_is_charged_more_than_its_total_and_t2_each_crossing_alerts_once(moves: list[Move]) -> None:
    recount = Recount(SMALL)
    for event in live(moves, Ledger()).journal:
        recount.read(event)

        assert recount.charged <= recount.total
        assert recount.past_charged <= recount.past_total


@property_
@given(lives())
def test_t3_t5_suspensions_and_resumptions_take_turns(moves: list[Move]) -> None:
    told = [
        isinstance(one, SuspendedBot)
        for one in live(moves, Ledger()).announcements
        if isinstance(one, SuspendedBot | ResumedBot)
    ]

    assert [n % 2 == 0 for n in range(len(told))] == told


@property_
@given(lives(prompt_says))
def test_t4_a_conversation_is_handed_off_at_most_once_in_24_hours(moves: list[Move]) -> None:
    handed_off_at: dict[str, int] = {}
    for one in live([*moves, *refusals()], Ledger()).announcements:
        if isinstance(one, HandedOffChat):
            last = handed_off_at.get(one.conversation_id)
            assert last is None or one.at - last >= DAY_MS
            handed_off_at[one.conversation_id] = one.at


def refusals() -> list[Move]:
    """Hourly interactions of ever new end-users in one conversation, more than any allowance serves."""
    return [Say(HOUR_MS, 0, f"late-{n}", "c-1") for n in range(60)]


@property_
@given(lives())
def test_s4_no_preview_is_ever_handed_off_nor_an_account_told_of_after_its_end(moves: list[Move]) -> None:
    ledger = live(moves, Ledger())
    ended = [n for n, event in enumerate(ledger.journal) if isinstance(event, ev.AccountClosed)]

    assert all(isinstance(event, ev.CommandHandled) for n in ended for event in ledger.journal[n + 1 :])
    previews_alone = [replace(move, preview=True) if isinstance(move, Say) else move for move in moves]
    assert not live(previews_alone, Ledger()).handed_off_at


# --- The calendar ----------------------------------------------------------------------------------------------------

time_zones: Final = st.sampled_from(
    ["UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata", "Africa/Casablanca"]
)
instants: Final = st.integers(MARCH - 20 * 365 * DAY_MS, MARCH + 20 * 365 * DAY_MS)
cycles: Final[st.SearchStrategy[BillingCycle]] = st.sampled_from(["monthly", "quarterly", "half_yearly", "annual"])


@property_
@given(instants, instants, time_zones, cycles)
def test_a4_the_cycle_around_a_moment_contains_it_and_touches_the_next(
    anchor: int, at: int, time_zone: str, billing_cycle: BillingCycle
) -> None:
    starts_at, ends_at = boundaries_around(anchor, time_zone, billing_cycle, at)
    next_starts_at, _ = boundaries_around(anchor, time_zone, billing_cycle, ends_at)

    assert starts_at <= at < ends_at
    assert ends_at == next_starts_at


@property_
@given(instants, st.integers(-60, 60), time_zones)
def test_a4_a_boundary_is_the_anchors_wall_time_on_its_day_or_the_months_last(
    anchor: int, n: int, time_zone: str
) -> None:
    zone = ZoneInfo(time_zone)
    here = datetime.fromtimestamp(anchor // 1000, zone).replace(tzinfo=None)
    there = datetime.fromtimestamp(boundary(anchor, time_zone, "monthly", n) // 1000, zone).replace(tzinfo=None)

    assume(round_trips(there.replace(hour=here.hour, minute=here.minute), zone))
    assert (here.hour, here.minute, here.second) == (there.hour, there.minute, there.second)
    assert n == (there.year - here.year) * 12 + there.month - here.month
    assert there.day == here.day or (there.day < here.day and is_last_of_its_month(there))


def round_trips(wall: datetime, zone: ZoneInfo) -> bool:
    """Whether the wall time exists in the zone."""
    return wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall


def is_last_of_its_month(wall: datetime) -> bool:
    return wall.month != datetime.fromtimestamp(wall.replace(tzinfo=UTC).timestamp() + 86_400, UTC).month
