"""Thresholds and exhaustion: what is announced, when, and not twice (T1, T2, T3, T6)."""

from __future__ import annotations

import pytest

from botmeter.domain import events as ev
from botmeter.domain.announcements import Alert, HandedOffChat, ResumedBot, SuspendedBot
from botmeter.domain.metering import counts_only_below
from botmeter.domain.prices import HOUR_MS, Rules
from botmeter.domain.thresholds import is_reached, reached_at

from .ledger import (
    ACCEPTED,
    APRIL,
    MAY,
    NOON,
    Step,
    change_plan,
    close_account,
    credit,
    did,
    given,
    interaction,
    open_account,
    purchase,
    reduce,
    sessions,
    set_auto_recharge,
    set_contacts,
    set_thresholds,
    tick,
)

# --- Thresholds ------------------------------------------------------------------------------------------------------


def test_t1_the_default_threshold_is_80() -> None:
    story = given(rules=Rules()).when(open_account("growth"))

    assert story.account.terms.thresholds == (80,)
    story.when(sessions(399)).then_told()
    story.when(interaction()).then_told(did(Alert, percent=80, used=400, total=500, remaining=100))


def test_t1_one_session_below_the_threshold_reaches_nothing() -> None:
    story = given(open_account("free"), purchase(1), sessions(6)).when(sessions(1))

    story.then(did(ev.SessionStarted, used=7))


def test_t1_the_session_that_brings_usage_to_the_threshold_alerts() -> None:
    story = given(open_account("free"), purchase(1), sessions(7)).when(sessions(1))

    story.then(
        did(ev.SessionStarted, used=8),
        did(
            ev.ThresholdReached,
            percent=80,
            used=8,
            total=10,
            remaining=2,
            pool="purchased",
            cycle_number=1,
            cycle_ends_at=APRIL,
        ),
    )


def test_t1_the_alert_tells_where_the_account_stands_and_whom_to_tell() -> None:
    story = given(open_account("free", contacts=("a@x.example",)), purchase(1), sessions(7)).when(sessions(1))

    story.then_told(
        did(
            Alert,
            type="threshold_reached",
            account_id="acme",
            version=story.account.version,
            at=NOON,
            percent=80,
            used=8,
            total=10,
            remaining=2,
            pool="purchased",
            cycle_number=1,
            cycle_ends_at=APRIL,
            contacts=("a@x.example",),
        )
    )


def test_t1_alerts_go_to_the_contacts_of_that_moment() -> None:
    story = given(open_account(contacts=("old@x.example",)), set_contacts("new@x.example")).when(sessions(4))

    story.then_told(did(Alert, percent=80, contacts=("new@x.example",)))


def test_t1_a_threshold_between_two_sessions_alerts_at_the_later_one() -> None:
    """75 % of 10 lies between 7 and 8 sessions."""
    story = given(open_account("free"), purchase(1), set_thresholds(75), sessions(7)).when(sessions(1))

    story.then(did(ev.SessionStarted), did(ev.ThresholdReached, percent=75, used=8))


@pytest.mark.parametrize("total", [1, 2, 7, 10, 99, 100, 101, 500, 1000, 123_457])
def test_t1_one_session_less_than_the_lowest_usage_that_reaches_a_threshold_does_not(total: int) -> None:
    for percent in range(1, 100):
        lowest = reached_at(percent, total)

        assert is_reached(percent, lowest, total)
        assert not is_reached(percent, lowest - 1, total)


def test_t1_no_rounding_brings_a_threshold_forward() -> None:
    """99 % of 1000 is 990 sessions exactly; 989 are 98.9 %."""
    story = given(open_account("free"), purchase(100), set_thresholds(99), sessions(989)).when(sessions(1))

    story.then(did(ev.SessionStarted, used=990), did(ev.ThresholdReached, percent=99, total=1000))


def test_t1_several_thresholds_crossed_by_one_session_alert_once_each_ascending() -> None:
    story = given(open_account(), set_thresholds(1, 5, 20, 21)).when(sessions(1))

    story.then(
        did(ev.SessionStarted, used=1),
        did(ev.ThresholdReached, percent=1, used=1),
        did(ev.ThresholdReached, percent=5, used=1),
        did(ev.ThresholdReached, percent=20, used=1),
    )
    story.then_told(did(Alert, percent=1), did(Alert, percent=5), did(Alert, percent=20))


def test_t1_the_session_that_exhausts_alerts_thresholds_first() -> None:
    story = given(open_account(), set_thresholds(50, 81, 99), sessions(4)).when(sessions(1))

    story.then_told(
        did(Alert, percent=81),
        did(Alert, percent=99),
        did(Alert, percent=100, type="sessions_exhausted"),
        did(SuspendedBot),
    )


def test_t1_each_account_can_set_its_own_list_or_none() -> None:
    story = given(open_account(), set_thresholds()).when(sessions(5))

    story.then_told(did(Alert, percent=100), did(SuspendedBot))


@pytest.mark.parametrize("percent", [39, 40])
def test_t1_a_threshold_set_at_or_below_present_usage_counts_as_reached(percent: int) -> None:
    story = given(open_account("free"), purchase(1), sessions(4)).when(set_thresholds(percent), sessions(1))

    story.then(did(ev.ThresholdsSet, percents=(percent,), reached=(percent,)), ACCEPTED, did(ev.SessionStarted, used=5))
    story.then_told()


def test_t1_a_threshold_set_just_above_present_usage_alerts() -> None:
    story = given(open_account("free"), purchase(1), sessions(4)).when(set_thresholds(41), sessions(1))

    story.then_told(did(Alert, percent=41, used=5))


def test_t1_a_total_of_0_reaches_nothing() -> None:
    story = given(open_account("free")).when(set_thresholds(1, 99))

    story.then(did(ev.ThresholdsSet, reached=()), ACCEPTED)
    story.when(purchase(10), sessions(1))
    story.then_told(did(ResumedBot), did(Alert, percent=1, used=1, total=100))


# --- Not twice -------------------------------------------------------------------------------------------------------


def test_t2_an_alert_fires_once_while_usage_stays_at_or_above() -> None:
    given(open_account("free"), purchase(1), sessions(8)).when(sessions(1)).then(did(ev.SessionStarted, used=9))


def test_t2_a_larger_total_that_brings_usage_below_arms_it_again() -> None:
    story = given(open_account("free"), purchase(1), sessions(8), purchase(1), sessions(7)).when(sessions(1))

    story.then_told(did(Alert, percent=80, used=16, total=20))


def test_t2_a_larger_total_that_leaves_usage_at_or_above_does_not() -> None:
    story = given(open_account("free"), purchase(1), set_thresholds(40), sessions(9)).when(purchase(1), sessions(1))

    story.then_told()


def test_t2_a_credit_arms_it_again() -> None:
    story = given(open_account(), sessions(4), credit(5)).when(sessions(4))

    story.then_told(did(Alert, percent=80, used=8, total=10))


def test_t2_a_credit_too_small_does_not_arm_it_again() -> None:
    given(open_account(), set_thresholds(50), sessions(4), credit(3)).when(sessions(1)).then_told()


def test_t2_a_new_pool_arms_it_again() -> None:
    story = given(open_account(), sessions(4), purchase(1)).when(sessions(8))

    story.then_told(did(Alert, percent=80, used=8, total=10, pool="purchased"))


def test_t2_a_new_cycle_arms_it_again() -> None:
    story = given(open_account("free"), purchase(1), sessions(8), tick(APRIL)).when(sessions(8))

    story.then_told(did(Alert, percent=80, used=8, cycle_number=2))


def test_t2_a_cycle_that_passes_a_complimentary_pool_by_does_not() -> None:
    given(open_account(), sessions(4), tick(APRIL), tick(MAY)).when(interaction("u-9")).then_told(
        did(Alert, percent=100), did(SuspendedBot)
    )


def test_t2_a_recharge_arms_it_again() -> None:
    story = given(open_account("free"), purchase(1), set_auto_recharge(1, 1), sessions(10)).when(sessions(6))

    story.then_told(did(Alert, percent=80, used=16, total=20))


def test_t2_setting_the_same_thresholds_again_does_not_arm_them() -> None:
    story = given(open_account("free"), purchase(1), sessions(8))

    story.when(set_thresholds(80), set_thresholds(50, 80), sessions(1)).then_told()


def test_t2_thresholds_removed_and_set_again_below_usage_count_as_reached() -> None:
    given(open_account("free"), purchase(1), sessions(8), set_thresholds()).when(
        set_thresholds(80), sessions(1)
    ).then_told()


def test_t2_a_plan_change_that_keeps_the_pool_does_not_arm_it() -> None:
    given(open_account("free"), purchase(1), sessions(8)).when(change_plan("growth"), sessions(1)).then_told()


def test_t2_a_grant_arms_it_again() -> None:
    story = given(open_account("free"), purchase(1), sessions(8), reduce(1), tick(APRIL), change_plan("growth"))

    story.when(sessions(4)).then_told(did(Alert, percent=80, pool="complimentary", used=4))


# --- Exhaustion ------------------------------------------------------------------------------------------------------


def test_t3_the_session_that_uses_the_last_unit_is_served_and_announces_exhaustion() -> None:
    story = given(open_account(), set_thresholds(), sessions(4)).when(interaction())

    story.then_outcome("started").then(
        did(ev.SessionStarted, used=5),
        did(
            ev.SessionsExhausted,
            reason="sessions_exhausted",
            used=5,
            total=5,
            remaining=0,
            pool="complimentary",
            cycle_number=1,
            cycle_ends_at=APRIL,
        ),
    )
    story.then_told(
        did(Alert, type="sessions_exhausted", percent=100, used=5, total=5, remaining=0),
        did(
            SuspendedBot,
            type="bot_suspended",
            reason="sessions_exhausted",
            conversations="transfer_to_agents",
            self_service="stopped",
        ),
    )
    story.then_stands(status="exhausted")


def test_t3_one_session_before_the_last_is_not_exhaustion() -> None:
    given(open_account(), sessions(4)).then_stands(status="active", remaining=1)


def test_t3_an_account_opened_free_is_exhausted_without_an_alert() -> None:
    story = given().when(open_account("free"))

    story.then_told(did(SuspendedBot, reason="no_sessions")).then_stands(status="exhausted")


def test_t3_a_new_cycle_without_packs_is_exhausted_without_an_alert() -> None:
    story = given(open_account(), purchase(1), reduce(1)).when(tick(APRIL))

    story.then(
        did(ev.CycleStarted, packs=0, total=0, pool="none", expired=10),
        did(ev.SessionsExhausted, reason="no_sessions", at=APRIL, total=0, cycle_number=2),
    )
    story.then_told(did(SuspendedBot, reason="no_sessions", at=APRIL))


def test_t3_an_account_exhausted_already_is_not_suspended_a_second_time_by_a_cycle_without_packs() -> None:
    story = given(open_account(), purchase(1), reduce(1), sessions(10)).when(tick(APRIL), tick(MAY))

    story.then(did(ev.CycleStarted, pool="none"), did(ev.CycleStarted, pool="none")).then_told()
    story.then_stands(status="exhausted")


def test_t3_a_used_up_complimentary_pool_is_not_suspended_a_second_time_by_a_cycle() -> None:
    given(open_account(), sessions(5)).when(tick(APRIL)).then(did(ev.CycleStarted)).then_told()


def test_t3_exhausted_again_after_a_purchase_announces_again() -> None:
    story = given(open_account(), sessions(5), purchase(1)).when(set_thresholds(), sessions(10))

    story.then_told(did(Alert, percent=100, used=10), did(SuspendedBot, reason="sessions_exhausted"))


def test_t3_a_total_of_one_session_is_exhausted_by_it() -> None:
    story = given(open_account("free"), credit(1)).when(interaction())

    story.then_told(did(Alert, percent=80), did(Alert, percent=100, used=1, total=1), did(SuspendedBot))


def test_t3_closing_an_active_account_is_no_exhaustion() -> None:
    story = given(open_account()).when(close_account())

    story.then_told(did(SuspendedBot, reason="account_closed"))


def test_t6_no_more_than_total_sessions_are_charged() -> None:
    story = given(open_account("free"), purchase(1)).when(sessions(25))

    assert sum(isinstance(event, ev.SessionStarted) for event in story) == 10
    story.then_stands(used=10, remaining=0)


def test_t6_late_sessions_do_not_overshoot_the_previous_cycle() -> None:
    late = [interaction(f"late-{n}", at=APRIL, occurred_at=APRIL - HOUR_MS) for n in range(25)]
    story = given(open_account("free"), purchase(1), sessions(4), reduce(1), tick(APRIL)).when(*late)

    assert sum(isinstance(event, ev.SessionStarted) for event in story) == 6
    assert sum(isinstance(told, HandedOffChat) for told in story.ledger.announcements) == 19


@pytest.mark.parametrize(
    ("steps", "usage"),
    [
        pytest.param([open_account()], 4, id="the threshold of 80 %"),
        pytest.param([open_account(), sessions(4)], 5, id="the end, once the threshold is reached"),
        pytest.param([open_account(), set_thresholds(90, 30)], 2, id="the lowest threshold, rounded up"),
        pytest.param([open_account(), set_thresholds()], 5, id="the end"),
        pytest.param([open_account(), set_thresholds(), set_auto_recharge(3, 1)], 5, id="no recharge of complimentary"),
        pytest.param([open_account(), purchase(1), set_auto_recharge(3, 1)], 8, id="fewer than 3 of 10 remain"),
        pytest.param([open_account(), purchase(1), set_auto_recharge(3, 0)], 8, id="recharge is off, 80 % of 10"),
        pytest.param([open_account(), purchase(1), set_auto_recharge(4, 1)], 7, id="fewer than 4 of 10 remain"),
        pytest.param([open_account("free")], 0, id="exhausted"),
        pytest.param([open_account(), close_account()], 0, id="closed"),
    ],
)
def test_t1_t3_a11_below_which_usage_a_session_start_does_nothing_but_count(steps: list[Step], usage: int) -> None:
    assert counts_only_below(given(*steps).account) == usage
