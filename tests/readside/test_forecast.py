"""The forecast: pace, band and the moment of running out, from days that are known."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from botmeter.readside.forecast import DayOfUsage, forecast
from botmeter.readside.local_time import DAY_MS, HOUR_MS

MONDAY = 1_793_577_600_000  # 2026-11-02 00:00 UTC, a Monday
counts = st.lists(st.integers(0, 500), min_size=1, max_size=40)


def days(*sessions: int) -> list[DayOfUsage]:
    """Whole days, the last of which ends at MONDAY."""
    begin = MONDAY - len(sessions) * DAY_MS
    return [DayOfUsage(begin + n * DAY_MS, begin + (n + 1) * DAY_MS, count) for n, count in enumerate(sessions)]


def test_a_steady_account_runs_out_when_division_says_so() -> None:
    found = forecast(MONDAY, MONDAY + 30 * DAY_MS, 1_000, days(*[100] * 10), "UTC")

    assert found is not None
    assert round(found.pace_per_day) == 100
    assert found.runs_out_at is not None
    assert abs(found.runs_out_at - (MONDAY + 10 * DAY_MS)) < HOUR_MS
    assert found.earliest_at is not None
    assert found.latest_at is not None
    assert found.earliest_at < found.runs_out_at < found.latest_at
    assert found.left_at_horizon == 0


def test_what_lasts_beyond_the_horizon_tells_what_will_be_left() -> None:
    found = forecast(MONDAY, MONDAY + 5 * DAY_MS, 1_000, days(*[100] * 10), "UTC")

    assert found is not None
    assert found.left_at_horizon == 500
    assert found.points[-1].at == MONDAY + 5 * DAY_MS
    assert found.points[-1].low < 500 < found.points[-1].high


def test_days_of_late_weigh_more() -> None:
    rising = forecast(MONDAY, MONDAY + DAY_MS, 1_000, days(*[10] * 7, *[100] * 6), "UTC")
    falling = forecast(MONDAY, MONDAY + DAY_MS, 1_000, days(*[100] * 7, *[10] * 6), "UTC")

    assert rising is not None
    assert falling is not None
    assert rising.pace_per_day > 55 > falling.pace_per_day


def test_weekends_are_told_from_working_days() -> None:
    week = [100, 100, 100, 100, 100, 0, 0]
    found = forecast(MONDAY, MONDAY + 7 * DAY_MS, 10_000, days(*week * 6), "UTC")

    assert found is not None
    spent = [a.expected - b.expected for a, b in pairwise(found.points)]
    assert min(spent[:5]) > 4 * max(spent[5:])


def test_an_irregular_account_has_a_wider_band() -> None:
    steady = forecast(MONDAY, MONDAY + 5 * DAY_MS, 2_000, days(*[100] * 12), "UTC")
    wild = forecast(MONDAY, MONDAY + 5 * DAY_MS, 2_000, days(*[0, 200] * 6), "UTC")

    assert steady is not None
    assert wild is not None
    assert wild.points[-1].high - wild.points[-1].low > 2 * (steady.points[-1].high - steady.points[-1].low)


def test_without_an_hour_of_evidence_there_is_no_forecast() -> None:
    assert forecast(MONDAY, MONDAY + DAY_MS, 10, [], "UTC") is None
    assert forecast(MONDAY, MONDAY + DAY_MS, 10, [DayOfUsage(MONDAY - 60_000, MONDAY, 5)], "UTC") is None


def test_an_account_that_nobody_uses_lasts() -> None:
    found = forecast(MONDAY, MONDAY + 30 * DAY_MS, 10, days(*[0] * 20), "UTC")

    assert found is not None
    assert (found.runs_out_at, found.earliest_at, found.latest_at, found.left_at_horizon) == (None, None, None, 10)


@given(counts, st.integers(1, 5_000), st.integers(1, 400 * 24), st.sampled_from(["UTC", "America/New_York"]))
def test_bands_hold_the_line_and_never_leave_what_there_is(
    drawn: list[int], remaining: int, hours: int, zone: str
) -> None:
    now = MONDAY + 5 * HOUR_MS
    found = forecast(now, now + hours * HOUR_MS, remaining, days(*drawn), zone)

    assert found is not None
    assert [point.at for point in found.points] == sorted({point.at for point in found.points})
    assert all(0 <= point.low <= point.expected <= point.high <= remaining for point in found.points)
    assert (found.points[0].at, found.points[0].expected) == (now, remaining)
    moments = [each for each in (found.earliest_at, found.runs_out_at, found.latest_at) if each is not None]
    assert moments == sorted(moments)
    assert all(moment >= now for moment in moments)
