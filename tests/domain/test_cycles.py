"""Billing cycles: what happens at a boundary, when, and to what arrives after it (A6, A9, A12, A13, C3, J5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from botmeter.domain import events as ev
from botmeter.domain.billing import decide_tick
from botmeter.domain.cycles import Cycle
from botmeter.domain.events import TimerCause
from botmeter.domain.prices import DAY_MS, HOUR_MS, Money

from .ledger import (
    ACCEPTED,
    APRIL,
    MARCH,
    MAY,
    NOON,
    SMALL,
    change_billing_cycle,
    change_plan,
    close_account,
    credit,
    did,
    expect,
    given,
    interaction,
    open_account,
    purchase,
    reduce,
    refused,
    sessions,
    set_auto_recharge,
    set_thresholds,
    tick,
    utc,
)

NEW_YORK = "America/New_York"
#: Monthly cycles are longer than the default late limit; this one lets old interactions in.
WIDE = replace(SMALL, late_limit_ms=90 * DAY_MS)


# --- What a boundary does --------------------------------------------------------------------------------------------


def test_a6_unused_sessions_expire_and_packs_renew_and_are_charged_again() -> None:
    story = given(open_account(), purchase(2), sessions(3)).when(tick(APRIL))

    story.then(
        did(
            ev.CycleStarted,
            number=2,
            starts_at=APRIL,
            ends_at=MAY,
            pool="purchased",
            packs=2,
            total=20,
            used=0,
            expired=17,
            charge=Money(200, "USD"),
            anchor=MARCH,
        )
    )
    story.then_stands(used=0, total=20, packs=2, packs_next_cycle=2)


def test_a6_renewal_of_an_active_account_tells_nothing() -> None:
    given(open_account(), purchase(1), sessions(3)).when(tick(APRIL)).then_told()


def test_a9_a_changed_billing_cycle_takes_effect_at_the_next_boundary() -> None:
    story = given(open_account()).when(change_billing_cycle("quarterly"), tick(APRIL))

    story.then(
        did(ev.BillingCycleChangeScheduled, billing_cycle="quarterly", effective_at=APRIL),
        ACCEPTED,
        did(ev.CycleStarted, starts_at=APRIL, ends_at=utc("2026-07-01 00:00"), billing_cycle="quarterly", anchor=APRIL),
    )


def test_a9_the_next_boundary_becomes_the_new_anchor() -> None:
    """Counted from 31 January the cycles end on the last day; counted anew from 28 February they end on the 28th."""
    january = utc("2026-01-31 00:00")
    story = given(open_account(anchor=january, at=january), change_billing_cycle("quarterly", at=january))

    story.when(tick(utc("2026-02-28 00:00")), tick(utc("2026-05-28 00:00")))

    story.then(
        did(ev.CycleStarted, starts_at=utc("2026-02-28 00:00"), ends_at=utc("2026-05-28 00:00")),
        did(ev.CycleStarted, starts_at=utc("2026-05-28 00:00"), ends_at=utc("2026-08-28 00:00")),
    )


def test_a9_the_current_cycle_keeps_its_length() -> None:
    story = given(open_account(), change_billing_cycle("annual"))

    assert Cycle(1, MARCH, APRIL) == story.account.cycle


def test_a9_changing_back_before_the_boundary_leaves_the_anchor() -> None:
    january = utc("2026-01-31 00:00")
    story = given(
        open_account(anchor=january, at=january), change_billing_cycle("annual"), change_billing_cycle("monthly")
    )

    story.when(tick(utc("2026-02-28 00:00"))).then(
        did(ev.CycleStarted, ends_at=utc("2026-03-31 00:00"), billing_cycle="monthly", anchor=january)
    )


def test_a9_the_last_of_several_changes_counts() -> None:
    story = given(open_account(), change_billing_cycle("annual"), change_billing_cycle("half_yearly")).when(tick(APRIL))

    story.then(did(ev.CycleStarted, billing_cycle="half_yearly", ends_at=utc("2026-10-01 00:00")))


def test_a9_changing_to_the_present_billing_cycle_is_accepted_and_changes_nothing() -> None:
    given(open_account()).when(change_billing_cycle("monthly")).then(ACCEPTED)


def test_a9_packs_of_a_longer_cycle_cost_the_same() -> None:
    story = given(open_account(), purchase(1), change_billing_cycle("annual")).when(tick(APRIL))

    story.then(did(ev.CycleStarted, packs=1, total=10, charge=Money(100, "USD")))


def test_a9_local_time_decides_the_new_anchor_too() -> None:
    story = given(open_account(anchor=utc("2026-03-01 05:00"), time_zone=NEW_YORK), change_billing_cycle("half_yearly"))

    story.when(tick(utc("2026-04-01 04:00"))).then(
        did(ev.CycleStarted, starts_at=utc("2026-04-01 04:00"), ends_at=utc("2026-10-01 04:00"))
    )


# --- When it does it -------------------------------------------------------------------------------------------------


def test_a12_one_millisecond_before_the_boundary_nothing_rolls() -> None:
    given(open_account(), purchase(1)).when(tick(APRIL - 1)).then()


def test_a12_the_timer_rolls_at_the_boundary() -> None:
    story = given(open_account(), purchase(1)).when(tick(APRIL + 4_000))

    story.then(did(ev.CycleStarted, at=APRIL, cause=TimerCause(before_offset=0)))


def test_a12_an_interaction_rolls_first_and_counts_in_the_new_cycle() -> None:
    story = given(open_account(), purchase(1), sessions(9)).when(interaction(at=APRIL))

    story.then(
        did(ev.CycleStarted, at=APRIL, number=2, used=0), did(ev.SessionStarted, at=APRIL, cycle_number=2, used=1)
    )


@pytest.mark.parametrize("late", [0, 1, 5 * DAY_MS])
def test_a12_the_effective_time_is_the_boundary_whenever_it_is_noticed(late: int) -> None:
    by_timer = given(open_account(), purchase(1)).when(tick(APRIL + late))
    by_record = given(open_account(), purchase(1)).when(interaction(actor="bot", at=APRIL + late))

    assert [event.at for event in by_timer] == [APRIL]
    assert [event.at for event in by_record] == [APRIL]


def test_a12_any_record_of_the_account_rolls_even_ignored_covered_and_dead_ones() -> None:
    steps = [
        interaction(actor="system", at=APRIL),
        interaction(bot=None, at=APRIL),
        interaction(occurred_at=APRIL - 49 * HOUR_MS, at=APRIL),
        interaction(occurred_at=APRIL + HOUR_MS, at=APRIL),
        interaction("known", at=APRIL),
        reduce(99, at=APRIL),
    ]
    for step in steps:
        story = given(open_account(), purchase(1), interaction("known", at=APRIL - 1)).when(step)

        expect([story.events[0]], (did(ev.CycleStarted, at=APRIL),))


def test_a12_several_missed_boundaries_roll_one_by_one() -> None:
    story = given(open_account(), purchase(2), sessions(1), reduce(1)).when(tick(utc("2026-06-15 00:00")))

    story.then(
        did(ev.CycleStarted, number=2, at=APRIL, starts_at=APRIL, ends_at=MAY, expired=19, total=10),
        did(ev.CycleStarted, number=3, at=MAY, starts_at=MAY, ends_at=utc("2026-06-01 00:00"), expired=10, total=10),
        did(ev.CycleStarted, number=4, at=utc("2026-06-01 00:00"), ends_at=utc("2026-07-01 00:00"), expired=10),
    )


def test_a12_missed_boundaries_suspend_once_and_at_the_boundary() -> None:
    story = given(open_account(), purchase(1), reduce(1)).when(interaction(at=utc("2026-06-15 00:00")))

    story.then(
        did(ev.CycleStarted, number=2, at=APRIL, pool="none"),
        did(ev.SessionsExhausted, at=APRIL, reason="no_sessions", cycle_number=2, cycle_ends_at=MAY),
        did(ev.CycleStarted, number=3, at=MAY, pool="none", expired=0, charge=None),
        did(ev.CycleStarted, number=4, at=utc("2026-06-01 00:00")),
        did(ev.ChatHandedOff, at=utc("2026-06-15 00:00"), reason="no_sessions"),
    )


def test_a12_an_exhausted_account_resumes_at_the_first_missed_boundary() -> None:
    story = given(open_account("free"), purchase(1), sessions(10)).when(tick(MAY + 1))

    story.then(
        did(ev.CycleStarted, at=APRIL),
        did(ev.SessionsAvailable, at=APRIL, reason="cycle_started", remaining=10),
        did(ev.CycleStarted, at=MAY, expired=10),
    )


def test_a12_a_boundary_noticed_twice_rolls_once() -> None:
    given(open_account(), purchase(1), tick(APRIL)).when(tick(APRIL), tick(APRIL + 1), interaction(actor="bot")).then()


def test_a12_a_brokers_time_that_steps_back_over_a_boundary_rolls_nothing_back() -> None:
    story = given(open_account(), purchase(1), tick(APRIL)).when(
        interaction(at=APRIL - 1), interaction("u-2", at=APRIL)
    )

    story.then(did(ev.SessionStarted, cycle_number=1, used=1), did(ev.SessionStarted, cycle_number=2, used=1))


def test_c3_a_command_takes_effect_after_the_due_boundaries() -> None:
    story = given(open_account(), purchase(1)).when(purchase(1, at=APRIL))

    story.then(
        did(ev.CycleStarted, at=APRIL, packs=1, total=10),
        did(ev.PacksPurchased, at=APRIL, packs=1, total=20),
        ACCEPTED,
    )


def test_c3_a_reduction_at_the_boundary_waits_for_the_next_one() -> None:
    story = given(open_account(), purchase(1)).when(reduce(1, at=APRIL), tick(MAY))

    story.then(
        did(ev.CycleStarted, packs=1),
        did(ev.PackReductionScheduled, packs_next_cycle=0),
        ACCEPTED,
        did(ev.CycleStarted, packs=0),
        did(ev.SessionsExhausted),
    )


def test_c3_a_refused_command_rolls_due_boundaries_all_the_same() -> None:
    given(open_account(), purchase(1)).when(reduce(2, at=APRIL)).then(
        did(ev.CycleStarted), refused("reduces_below_zero")
    )


def test_c3_a_command_seen_before_rolls_due_boundaries_all_the_same() -> None:
    story = given(open_account(), purchase(1, id_="k")).when(purchase(1, id_="k", at=APRIL))

    story.then(did(ev.CycleStarted, packs=1))


def test_c3_closing_at_the_boundary_closes_the_new_cycle() -> None:
    story = given(open_account(), purchase(1)).when(close_account(at=APRIL))

    story.then(did(ev.CycleStarted, number=2, charge=Money(100, "USD")), did(ev.AccountClosed, at=APRIL), ACCEPTED)


def test_j5_events_carry_the_brokers_time_not_that_of_the_interaction() -> None:
    story = given(open_account()).when(interaction(at=NOON + HOUR_MS, occurred_at=NOON))

    story.then(did(ev.SessionStarted, at=NOON + HOUR_MS, started_at=NOON))


# --- Sessions that arrive after their cycle --------------------------------------------------------------------------


def test_a13_a_late_session_counts_in_the_previous_cycle() -> None:
    story = given(open_account(), purchase(1), sessions(2)).when(interaction(at=APRIL, occurred_at=APRIL - 1))

    story.then(did(ev.CycleStarted), did(ev.SessionStarted, cycle_number=1, pool="purchased", used=3, at=APRIL))
    story.then_stands(used=0, total=10)


def test_a13_late_sessions_use_up_the_previous_cycle_and_then_the_current_one() -> None:
    late = [interaction(f"late-{n}", at=APRIL, occurred_at=APRIL - HOUR_MS) for n in range(3)]
    story = given(open_account(), purchase(1), sessions(8), tick(APRIL)).when(*late)

    story.then(
        did(ev.SessionStarted, cycle_number=1, used=9),
        did(ev.SessionStarted, cycle_number=1, used=10),
        did(ev.SessionStarted, cycle_number=2, used=1),
    )


def test_a13_no_alert_comes_of_it() -> None:
    late = [interaction(f"late-{n}", at=APRIL, occurred_at=APRIL - HOUR_MS) for n in range(3)]
    story = given(open_account(), purchase(1), sessions(7), tick(APRIL)).when(*late)

    story.then(*[did(ev.SessionStarted, cycle_number=1)] * 3).then_told()
    story.then_stands(status="active", used=0)


def test_a13_a_session_at_the_boundary_itself_counts_in_the_new_cycle() -> None:
    story = given(open_account(), purchase(1), tick(APRIL)).when(interaction(at=APRIL + 1, occurred_at=APRIL))

    story.then(did(ev.SessionStarted, cycle_number=2, used=1))


def test_a13_a_session_on_the_first_millisecond_of_the_previous_cycle_counts_there() -> None:
    story = given(open_account(), purchase(1), tick(APRIL), rules=WIDE).when(interaction(occurred_at=MARCH))

    story.then(did(ev.SessionStarted, cycle_number=1, used=1))


def test_a13_a_complimentary_pool_has_no_previous_cycle() -> None:
    story = given(open_account(), sessions(1)).when(interaction(at=APRIL, occurred_at=APRIL - 1))

    story.then(did(ev.CycleStarted), did(ev.SessionStarted, cycle_number=2, pool="complimentary", used=2))


def test_a13_a_session_of_the_cycle_before_last_counts_in_the_current_one() -> None:
    story = given(open_account(), purchase(1), tick(MAY), rules=WIDE)

    story.when(interaction("old", occurred_at=APRIL - 1), interaction("last", occurred_at=APRIL))

    story.then(did(ev.SessionStarted, cycle_number=3, used=1), did(ev.SessionStarted, cycle_number=2, used=1))


def test_a13_a_session_from_before_the_first_cycle_counts_in_the_first() -> None:
    story = given(open_account(anchor=None)).when(interaction(occurred_at=NOON - HOUR_MS))

    story.then(did(ev.SessionStarted, cycle_number=1, used=1))


def test_a13_a_pool_that_a_credit_opened_serves_late_sessions_too() -> None:
    story = given(open_account("free"), credit(2), tick(APRIL)).when(interaction(occurred_at=APRIL - 1))

    story.then_outcome("started").then(did(ev.SessionStarted, cycle_number=1, used=1))


def test_a13_without_a_pool_in_the_previous_cycle_the_current_one_serves() -> None:
    story = given(open_account("free"), tick(APRIL), purchase(1)).when(interaction(occurred_at=APRIL - 1))

    story.then(did(ev.SessionStarted, cycle_number=2, used=1))


def test_a13_a_late_session_counted_in_the_current_cycle_alerts_as_any() -> None:
    story = given(open_account("free"), purchase(1), sessions(10), tick(APRIL), set_thresholds(10))

    story.when(interaction(occurred_at=APRIL - 1)).then(
        did(ev.SessionStarted, cycle_number=2, used=1), did(ev.ThresholdReached, percent=10)
    )


def test_a13_a_covered_late_interaction_counts_nowhere() -> None:
    story = given(open_account(), purchase(1), interaction(at=APRIL - HOUR_MS), tick(APRIL))

    story.when(interaction(occurred_at=APRIL - 2 * HOUR_MS)).then_outcome("covered").then()


def test_a13_a_late_session_recharges_nothing() -> None:
    story = given(open_account("free"), purchase(1), set_auto_recharge(5, 1), tick(APRIL))

    story.when(interaction(occurred_at=APRIL - 1)).then(did(ev.SessionStarted, cycle_number=1, used=1))


def test_a13_the_previous_pool_counts_not_the_present_one() -> None:
    """The cycle before was complimentary; packs bought since do not make it purchased."""
    story = given(open_account(), tick(APRIL), purchase(1)).when(interaction(occurred_at=APRIL - 1))

    story.then(did(ev.SessionStarted, cycle_number=2, pool="purchased", used=1))


def test_a13_a_window_opened_late_is_known_to_later_interactions() -> None:
    story = given(open_account(), purchase(1), interaction(at=APRIL, occurred_at=APRIL - HOUR_MS))

    story.when(interaction(at=APRIL + HOUR_MS)).then_outcome("covered").then()


def test_a12_a_plan_change_after_missed_boundaries_meets_the_present_cycle() -> None:
    story = given(open_account("free"), purchase(1), reduce(1)).when(change_plan("growth", at=APRIL))

    story.then(
        did(ev.CycleStarted, pool="none"),
        did(ev.SessionsExhausted),
        did(ev.PlanChanged),
        did(ev.ComplimentaryGranted, at=APRIL),
        did(ev.SessionsAvailable, reason="plan_changed"),
        ACCEPTED,
    )


@pytest.mark.parametrize("moved_ms", [-HOUR_MS, HOUR_MS])
def test_a6_packs_are_charged_once_although_the_time_zone_database_has_moved_the_boundary(moved_ms: int) -> None:
    account = given(open_account(), purchase(2)).account
    moved = replace(account, cycle=replace(account.cycle, ends_at=APRIL + moved_ms))
    events = decide_tick(moved, MAY - DAY_MS, TimerCause(0), SMALL)

    assert [(e.starts_at, e.ends_at) for e in events if isinstance(e, ev.CycleStarted)] == [(APRIL + moved_ms, MAY)]
