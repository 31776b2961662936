"""Moments on the wire and inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmeter.contracts.instants import millis, rfc3339

FIRST, LAST = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999


@given(st.integers(FIRST, LAST))
def test_a_moment_comes_back_as_it_was(ms: int) -> None:
    written = rfc3339(ms)

    assert len(written) == 24
    assert millis(datetime.fromisoformat(written)) == ms


@pytest.mark.parametrize(
    ("ms", "written"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_795_428_000_007, "2026-11-23T10:00:00.007Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (FIRST, "0001-01-01T00:00:00.000Z"),
        (LAST, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_moments_are_written_with_milliseconds_and_z(ms: int, written: str) -> None:
    assert rfc3339(ms) == written


def test_parts_of_a_millisecond_are_dropped_towards_the_past() -> None:
    before = datetime(1970, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)
    after = datetime(1970, 1, 1, 0, 0, 0, 1999, tzinfo=UTC)

    assert millis(before) == -1
    assert millis(after) == 1


def test_an_offset_is_reckoned_with() -> None:
    assert millis(datetime(1970, 1, 1, 5, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))) == 0


def test_what_lies_outside_the_calendar_cannot_be_written() -> None:
    with pytest.raises(OverflowError):
        rfc3339(LAST + 1)
