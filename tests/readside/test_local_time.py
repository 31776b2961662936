"""Hours and days of an account's own time: 23, 24 and 25 hours, halves and quarters of an hour, jumps over midnight."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmeter.readside.local_time import DAY_MS, HOUR_MS, hour_and_day, local, millis, starts

ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
         "America/Sao_Paulo", "Africa/Casablanca", "Pacific/Apia"]  # fmt: skip
moments = st.integers(millis(datetime(2005, 1, 1, tzinfo=UTC)), millis(datetime(2035, 1, 1, tzinfo=UTC)))


def at(text: str, zone: str) -> int:
    return millis(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25), ("2026-07-01", 24)])
def test_a_day_has_23_24_or_25_hours(day: str, hours: int) -> None:
    since = at(day, "America/New_York")
    [begin, end] = starts(since, since + 1, "America/New_York", "day")

    assert end - begin == hours * HOUR_MS
    assert len(list(starts(begin, end, "America/New_York", "hour"))) == hours + 1


def test_hours_of_kolkata_begin_at_half_past() -> None:
    moment = at("2026-07-01T10:40", "Asia/Kolkata")

    assert hour_and_day(moment, "Asia/Kolkata") == (
        at("2026-07-01T10:00", "Asia/Kolkata"),
        at("2026-07-01", "Asia/Kolkata"),
    )


def test_where_the_clock_jumps_over_midnight_the_day_begins_with_the_jump() -> None:
    noon = at("2018-11-04T12:00", "America/Sao_Paulo")
    _, day = hour_and_day(noon, "America/Sao_Paulo")

    assert local(day, ZoneInfo("America/Sao_Paulo")).isoformat() == "2018-11-04T01:00:00-02:00"
    assert local(day - 1, ZoneInfo("America/Sao_Paulo")).date().isoformat() == "2018-11-03"


@given(moments, st.sampled_from(ZONES))
def test_a_moment_lies_in_its_hour_and_its_day(moment: int, zone: str) -> None:
    hour, day = hour_and_day(moment, zone)
    here = local(moment, ZoneInfo(zone))

    assert 0 <= moment - hour < HOUR_MS
    assert day <= moment
    assert local(day, ZoneInfo(zone)).date() == here.date()


@given(moments, st.integers(1, 40 * DAY_MS), st.sampled_from(ZONES), st.sampled_from(["hour", "day"]))
def test_buckets_cover_a_span_without_gaps_and_every_moment_has_one(
    span: int, length: int, zone: str, bucket: str
) -> None:
    since, until = span, span + length
    bounds = list(starts(since, until, zone, "day" if bucket == "day" else "hour"))

    assert bounds[0] <= since
    assert bounds[-1] >= until
    assert all(a < b for a, b in pairwise(bounds))
    inside = since + length // 2
    assert hour_and_day(inside, zone)[bucket == "day"] in bounds
