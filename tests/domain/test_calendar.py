"""The billing calendar: boundaries counted from the anchor in the account's time zone (A4)."""

from __future__ import annotations

import pytest

from botmeter.domain import events as ev
from botmeter.domain.cycles import BillingCycle, Cycle, boundaries_around, boundary, cycle_from, is_time_zone
from botmeter.domain.prices import HOUR_MS

from .ledger import (
    ACCEPTED,
    APRIL,
    MARCH,
    NOON,
    did,
    given,
    open_account,
    utc,
)

NEW_YORK = "America/New_York"


def boundaries(anchor: str, time_zone: str, billing_cycle: BillingCycle, numbers: range) -> list[int]:
    return [boundary(utc(anchor), time_zone, billing_cycle, n) for n in numbers]


def test_a4_31_january_28_february_31_march_because_the_anchor_counts() -> None:
    seen = boundaries("2026-01-31 00:00", "UTC", "monthly", range(5))

    expected = ["2026-01-31 00:00", "2026-02-28 00:00", "2026-03-31 00:00", "2026-04-30 00:00", "2026-05-31 00:00"]
    assert [*map(utc, expected)] == seen


def test_a4_31_january_29_february_in_a_leap_year() -> None:
    assert [utc("2028-02-29 00:00")] == boundaries("2028-01-31 00:00", "UTC", "monthly", range(1, 2))


def test_a4_no_29_february_in_a_century_that_is_no_leap_year() -> None:
    assert [utc("2100-02-28 00:00")] == boundaries("2100-01-31 00:00", "UTC", "monthly", range(1, 2))


def test_a4_29_february_annually_is_the_28th_until_the_next_leap_year() -> None:
    seen = boundaries("2024-02-29 09:00", "UTC", "annual", range(1, 5))

    assert [*map(utc, ["2025-02-28 09:00", "2026-02-28 09:00", "2027-02-28 09:00", "2028-02-29 09:00"])] == seen


@pytest.mark.parametrize(
    ("billing_cycle", "expected"),
    [
        ("monthly", ["2025-12-30 08:00", "2026-03-30 08:00"]),
        ("quarterly", ["2026-02-28 08:00", "2026-11-30 08:00"]),
        ("half_yearly", ["2026-05-30 08:00", "2027-11-30 08:00"]),
        ("annual", ["2026-11-30 08:00", "2029-11-30 08:00"]),
    ],
)
def test_a4_cycles_are_1_3_6_and_12_months(billing_cycle: BillingCycle, expected: list[str]) -> None:
    assert [*map(utc, expected)] == boundaries("2025-11-30 08:00", "UTC", billing_cycle, range(1, 5))[::3]


def test_a4_boundaries_before_the_anchor_count_down() -> None:
    seen = boundaries("2026-03-31 00:00", "UTC", "monthly", range(-4, 1))

    expected = ["2025-11-30 00:00", "2025-12-31 00:00", "2026-01-31 00:00", "2026-02-28 00:00", "2026-03-31 00:00"]
    assert [*map(utc, expected)] == seen


def test_a4_midnight_in_new_york_stays_midnight_in_summer_and_winter() -> None:
    seen = boundaries("2026-02-01 05:00", NEW_YORK, "monthly", range(-4, 11, 2))

    expected = [
        "2025-10-01 04:00",
        "2025-12-01 05:00",
        "2026-02-01 05:00",
        "2026-04-01 04:00",
        "2026-06-01 04:00",
        "2026-08-01 04:00",
        "2026-10-01 04:00",
        "2026-12-01 05:00",
    ]
    assert [*map(utc, expected)] == seen


def test_a4_the_day_is_the_local_one_not_that_of_utc() -> None:
    """31 January 20:00 in New York is 1 February 01:00 UTC; a month later is 28 February there."""
    assert [utc("2026-03-01 01:00")] == boundaries("2026-02-01 01:00", NEW_YORK, "monthly", range(1, 2))


def test_a4_a_wall_time_that_does_not_exist_moves_forward() -> None:
    """8 March 2026, 02:30 is skipped in New York: 03:30 EDT, which is 07:30 UTC."""
    assert [utc("2026-03-08 07:30")] == boundaries("2026-02-08 07:30", NEW_YORK, "monthly", range(1, 2))


def test_a4_after_a_skipped_wall_time_the_next_boundary_is_the_anchors_again() -> None:
    """8 April, 02:30 EDT is 06:30 UTC."""
    assert [utc("2026-04-08 06:30")] == boundaries("2026-02-08 07:30", NEW_YORK, "monthly", range(2, 3))


def test_a4_an_ambiguous_wall_time_is_the_first() -> None:
    """1 November 2026, 01:30 comes twice in New York; the first is EDT, 05:30 UTC."""
    assert [utc("2026-11-01 05:30")] == boundaries("2026-10-01 05:30", NEW_YORK, "monthly", range(1, 2))


def test_a4_an_anchor_at_the_second_of_two_equal_wall_times_stays_where_it_is() -> None:
    seen = boundaries("2026-11-01 06:30", NEW_YORK, "annual", range(2))

    assert [utc("2026-11-01 06:30"), utc("2027-11-01 05:30")] == seen


def test_a4_a_day_that_a_zone_skipped_moves_forward() -> None:
    """Samoa went from 29 to 31 December 2011: midnight of the 30th is midnight of the 31st, 10:00 UTC on the 30th."""
    assert [utc("2011-12-30 10:00")] == boundaries("2011-11-30 10:00", "Pacific/Apia", "monthly", range(1, 2))


def test_a4_half_hours_of_daylight_saving_are_respected() -> None:
    """Lord Howe leaves +11 for +10:30 on 5 April 2026: noon of the 4th is 01:00 UTC, of 4 May 01:30 UTC."""
    assert [utc("2026-05-04 01:30")] == boundaries("2026-04-04 01:00", "Australia/Lord_Howe", "monthly", range(1, 2))


def test_a4_a_month_that_comes_back_after_its_end_is_of_the_next_cycle_already() -> None:
    """Newfoundland went from 00:01 on 1 November 2009 back to 23:01 on 31 October: the first midnight counts."""
    midnight, again_october = utc("2009-11-01 02:30"), utc("2009-11-01 03:00")
    bounds = boundaries_around(utc("2009-09-01 02:30"), "America/St_Johns", "monthly", again_october)

    assert bounds == (midnight, utc("2009-12-01 03:30"))


def test_a4_milliseconds_of_the_anchor_are_kept() -> None:
    assert utc("2026-04-01 00:00") + 123 == boundary(MARCH + 123, "UTC", "monthly", 1)


@pytest.mark.parametrize(("at", "first"), [(MARCH, MARCH), (APRIL - 1, MARCH), (APRIL, APRIL)])
def test_a4_a_cycle_is_half_open(at: int, first: int) -> None:
    assert boundaries_around(MARCH, "UTC", "monthly", at) == (first, boundary(first, "UTC", "monthly", 1))


@pytest.mark.parametrize("anchor", ["2019-01-31 06:00", "2026-03-31 06:00", "2031-08-31 06:00"])
def test_a4_the_first_cycle_contains_the_opening_wherever_the_anchor_lies(anchor: str) -> None:
    story = given().when(open_account(anchor=utc(anchor), at=NOON))

    assert Cycle(1, utc("2026-02-28 06:00"), utc("2026-03-31 06:00")) == story.account.cycle


@pytest.mark.parametrize("anchor", ["2025-12-10 12:00", "2026-03-10 12:00", "2026-06-10 12:00"])
def test_a4_an_opening_exactly_at_a_boundary_begins_that_cycle(anchor: str) -> None:
    story = given().when(open_account(anchor=utc(anchor), billing_cycle="quarterly", at=NOON))

    assert Cycle(1, NOON, utc("2026-06-10 12:00")) == story.account.cycle


def test_a4_without_an_anchor_cycles_count_from_the_opening() -> None:
    story = given().when(open_account(anchor=None, at=NOON))

    story.then(
        did(ev.AccountOpened, anchor=NOON, starts_at=NOON, ends_at=utc("2026-04-10 12:00")),
        did(ev.ComplimentaryGranted),
        ACCEPTED,
    )


def test_a4_time_zones_are_those_of_iana() -> None:
    assert [is_time_zone(name) for name in ("UTC", NEW_YORK, "Asia/Kolkata")] == [True, True, True]
    assert not any(
        is_time_zone(name) for name in ("", "Europe", "Mars/Base", "../UTC", "/etc/passwd", "UTC\0", "+01:00")
    )


@pytest.mark.parametrize("moved_ms", [-25 * HOUR_MS, -3 * HOUR_MS, -HOUR_MS, 0, HOUR_MS, 3 * HOUR_MS, 25 * HOUR_MS])
@pytest.mark.parametrize("billing_cycle", ["monthly", "quarterly", "half_yearly", "annual"])
def test_a4_a_boundary_that_a_new_time_zone_database_has_moved_starts_one_cycle_and_not_two(
    moved_ms: int, billing_cycle: BillingCycle
) -> None:
    """Mexico in 2022, Almaty in 2024: a cycle of an hour would charge the packs twice and let sessions expire."""
    anchor, zone = utc("2026-01-31T00:00"), "America/Mexico_City"
    _, today_ends_at = boundaries_around(anchor, zone, billing_cycle, utc("2026-11-15T12:00"))
    _, next_ends_at = boundaries_around(anchor, zone, billing_cycle, today_ends_at)

    assert cycle_from(anchor, zone, billing_cycle, today_ends_at + moved_ms, 8) == Cycle(
        8, today_ends_at + moved_ms, next_ends_at
    )
