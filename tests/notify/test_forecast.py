"""When the sessions run out at the pace of the cycle so far."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from botmeter.notify.forecast import is_founded, runs_out_at

DAY = 86_400_000


def test_half_used_after_a_quarter_of_the_cycle_ends_in_the_middle_of_it() -> None:
    assert runs_out_at(used=500, total=1000, starts_at=0, ends_at=40 * DAY, at=10 * DAY) == 20 * DAY


def test_sessions_that_last_are_no_news() -> None:
    assert runs_out_at(used=500, total=1000, starts_at=0, ends_at=40 * DAY, at=20 * DAY) is None
    assert runs_out_at(used=0, total=1000, starts_at=0, ends_at=40 * DAY, at=20 * DAY) is None
    assert runs_out_at(used=1000, total=1000, starts_at=0, ends_at=40 * DAY, at=20 * DAY) is None


def test_too_little_is_no_ground_to_warn() -> None:
    assert not is_founded(used=300, total=1000, starts_at=0, ends_at=40 * DAY, at=3 * DAY)
    assert not is_founded(used=99, total=1000, starts_at=0, ends_at=40 * DAY, at=10 * DAY)
    assert is_founded(used=100, total=1000, starts_at=0, ends_at=40 * DAY, at=4 * DAY)


@given(
    used=st.integers(1, 10**6),
    total=st.integers(2, 10**6),
    at=st.integers(1, 365 * DAY),
    length=st.integers(1, 365 * DAY),
)
def test_a_forecast_lies_between_now_and_the_cycles_end_and_comes_nearer_with_usage(
    used: int, total: int, at: int, length: int
) -> None:
    assume(used < total)
    moment = runs_out_at(used=used, total=total, starts_at=0, ends_at=length, at=at)

    if moment is not None:
        assert at < moment < length
        more = runs_out_at(used=used + 1, total=total, starts_at=0, ends_at=length, at=at)
        assert more is None or more <= moment
