"""The pace: as many records as the rate says, over the day too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmeter.simulation.accounts import population
from botmeter.simulation.pace import DUE_MAX, Pace
from botmeter.simulation.traffic import Traffic

from .metering import NOW_MS, TOPICS

TRAFFIC = Traffic(1, population(12), TOPICS, partitions=4)


@given(steps=st.lists(st.floats(0, 0.5), max_size=50), rate=st.floats(0.1, 5_000))
def test_a_steady_rate_is_kept_whatever_the_steps(steps: list[float], rate: float) -> None:
    pace = Pace(TRAFFIC, rate, NOW_MS, day_length_s=None)
    elapsed_s = sent = 0.0
    for step in steps:
        elapsed_s += step
        sent += pace.due(elapsed_s)

    assert sent == pytest.approx(rate * elapsed_s, abs=1.01)


def test_the_rate_is_the_mean_over_a_day() -> None:
    pace = Pace(TRAFFIC, 1_000, NOW_MS, day_length_s=60)
    by_second = [sum(pace.due(second + step / 50) for step in range(1, 51)) for second in range(60)]

    assert sum(by_second) == pytest.approx(60_000, rel=0.03)
    assert max(by_second) > 1.3 * min(by_second)


def test_what_could_not_be_sent_in_time_is_left_out() -> None:
    pace = Pace(TRAFFIC, 1_000_000, NOW_MS, day_length_s=None)

    assert pace.due(1.0) == DUE_MAX
    assert pace.due(1.0) <= 1
