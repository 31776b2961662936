"""The brokers' time as a worker knows it: never ahead of theirs, whatever the worker's own clock shows."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmeter.clock import Clock
from botmeter.engine.broker_time import Agreement, BrokerTime
from properties import property_

#: What the brokers' clocks show at the beginning, UTC ms.
BEGIN = 1_790_000_000_000
LIMIT_MS = 30_000
DAY_MS = 86_400_000


class SetClock(Clock):
    """Stands still until it is moved; its time of day may be set wrong."""

    def __init__(self, ahead_ms: int = 0) -> None:
        self.ahead_ms, self.passed_ms = ahead_ms, 0

    @property
    def true_ms(self) -> int:
        return BEGIN + self.passed_ms

    def now_ms(self) -> int:
        return self.true_ms + self.ahead_ms

    def monotonic_s(self) -> float:
        return self.passed_ms / 1000


def test_nothing_is_known_before_a_broker_has_stamped_anything() -> None:
    time = BrokerTime(SetClock(), LIMIT_MS)

    assert time.at_least_ms() is None
    assert time.agreement() is Agreement.UNKNOWN


@property_
@given(
    st.integers(-400 * DAY_MS, 400 * DAY_MS),
    st.lists(st.tuples(st.integers(0, DAY_MS), st.integers(0, 7 * DAY_MS), st.booleans()), min_size=1, max_size=20),
)
def test_the_known_time_is_never_ahead_of_the_brokers_and_never_goes_back(
    ahead_ms: int, stamps: list[tuple[int, int, bool]]
) -> None:
    """Records may be as old as they like when they are read, and the worker's clock wrong by years."""
    clock = SetClock(ahead_ms)
    time, known = BrokerTime(clock, LIMIT_MS), 0
    for passed_ms, age_ms, is_asked in stamps:
        clock.passed_ms += passed_ms
        if is_asked:
            time.answer(clock.true_ms)
        else:
            time.note(clock.true_ms - age_ms)
        found = time.at_least_ms()
        assert found is not None
        assert known <= found <= clock.true_ms
        known = found


def test_an_answer_makes_the_time_exact_after_a_long_silence() -> None:
    clock = SetClock()
    time = BrokerTime(clock, LIMIT_MS)
    time.note(BEGIN - 3 * DAY_MS)
    assert time.agreement() is Agreement.UNKNOWN, "the record may be old, or the clock wrong"
    time.answer(clock.true_ms)

    assert time.at_least_ms() == clock.true_ms
    assert time.agreement() is Agreement.AGREED


@pytest.mark.parametrize(("ahead_ms", "told"), [(400 * DAY_MS, "ahead of"), (-DAY_MS, "behind")])
def test_clocks_that_differ_are_told_once_and_agree_again_by_themselves(
    ahead_ms: int, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SetClock(ahead_ms)
    time = BrokerTime(clock, LIMIT_MS)
    with caplog.at_level(logging.WARNING):
        time.answer(clock.true_ms)
        assert [time.agreement(), time.agreement()] == [Agreement.APART] * 2
        assert len(caplog.messages) == 1
        assert f"s {told} the brokers'" in caplog.messages[0]
        clock.ahead_ms = 0
        assert time.agreement() is Agreement.AGREED
    assert "agree again" in caplog.messages[1]


def test_a_difference_within_the_bound_is_none() -> None:
    clock = SetClock(ahead_ms=LIMIT_MS)
    time = BrokerTime(clock, LIMIT_MS)
    time.answer(clock.true_ms)

    assert time.agreement() is Agreement.AGREED


def test_a_broker_whose_clock_was_ahead_is_forgotten_when_another_answers() -> None:
    clock = SetClock()
    time = BrokerTime(clock, LIMIT_MS)
    time.note(clock.true_ms + DAY_MS)
    assert time.agreement() is Agreement.APART
    time.answer(clock.true_ms)

    assert time.at_least_ms() == clock.true_ms
    assert time.agreement() is Agreement.AGREED
