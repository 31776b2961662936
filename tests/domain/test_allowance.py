"""The allowance: plans, complimentary sessions, packs, credits (A1, A2, A3, A5, A7, A8, A10)."""

from __future__ import annotations

import pytest

from botmeter.domain import events as ev
from botmeter.domain.announcements import SuspendedBot
from botmeter.domain.commands import CommandResult, Plan
from botmeter.domain.cycles import BillingCycle
from botmeter.domain.prices import Money, PriceBook, Rules

from .ledger import (
    ACCEPTED,
    APRIL,
    MARCH,
    MAY,
    cancel_reduction,
    change_plan,
    credit,
    did,
    given,
    interaction,
    open_account,
    purchase,
    reduce,
    refused,
    sessions,
    tick,
)

NO_GIFT = Rules(prices=PriceBook(pack_sessions=10, pack_price_minor=100, complimentary_sessions=0))


# --- Plans and complimentary sessions --------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", ["growth", "pro", "enterprise"])
def test_a1_paid_plans_get_500_complimentary_sessions(plan: Plan) -> None:
    story = given(rules=Rules()).when(open_account(plan))

    story.then(did(ev.AccountOpened, plan=plan), did(ev.ComplimentaryGranted, sessions=500), ACCEPTED)
    story.then_stands(pool="complimentary", total=500, used=0, remaining=500, packs=0, status="active")


def test_a1_free_gets_none_and_needs_packs_to_deploy_bots() -> None:
    story = given(rules=Rules()).when(open_account("free"))

    story.then(did(ev.AccountOpened, plan="free"), did(ev.SessionsExhausted, reason="no_sessions"), ACCEPTED)
    story.then_stands(pool="none", total=0, status="exhausted")
    story.when(purchase(1), interaction()).then_outcome("started")


def test_a1_complimentary_sessions_come_once_per_account_ever() -> None:
    story = given(open_account("growth"), change_plan("free")).when(change_plan("enterprise"))

    story.then(did(ev.PlanChanged, plan="enterprise"), ACCEPTED).then_stands(pool="none", status="exhausted")


def test_a1_a_price_book_without_complimentary_sessions_grants_none() -> None:
    story = given(rules=NO_GIFT).when(open_account("growth"))

    story.then(did(ev.AccountOpened), did(ev.SessionsExhausted, reason="no_sessions"), ACCEPTED)


def test_a2_complimentary_sessions_do_not_expire_with_a_cycle() -> None:
    story = given(open_account(), sessions(2)).when(tick(APRIL))

    story.then(did(ev.CycleStarted, number=2, pool="complimentary", total=5, used=2, expired=0, charge=None))
    story.then_stands(pool="complimentary", total=5, used=2)


def test_a2_complimentary_sessions_end_when_used_up_and_no_cycle_brings_them_back() -> None:
    story = given(open_account(), sessions(5)).when(tick(APRIL), interaction())

    story.then(did(ev.CycleStarted, used=5, total=5), did(ev.ChatHandedOff, reason="sessions_exhausted"))


def test_a2_buying_packs_forfeits_the_rest() -> None:
    story = given(open_account(), sessions(2)).when(purchase(1))

    story.then(
        did(ev.ComplimentaryForfeited, sessions=3),
        did(ev.PacksPurchased, packs=1, sessions=10, total=10, used=0, trigger="command"),
        ACCEPTED,
    )
    story.then_stands(pool="purchased", total=10, used=0, packs=1, packs_next_cycle=1)


def test_a2_moving_to_free_forfeits_the_rest_and_suspends_the_bots() -> None:
    story = given(open_account(), sessions(2)).when(change_plan("free"))

    story.then(
        did(ev.PlanChanged, plan="free"),
        did(ev.ComplimentaryForfeited, sessions=3),
        did(ev.SessionsExhausted, reason="no_sessions", total=0),
        ACCEPTED,
    )
    story.then_told(did(SuspendedBot, reason="no_sessions")).then_stands(pool="none", total=0, used=0)


def test_a2_moving_to_free_when_used_up_suspends_no_second_time() -> None:
    story = given(open_account(), sessions(5)).when(change_plan("free"))

    story.then(did(ev.PlanChanged), did(ev.ComplimentaryForfeited, sessions=0), ACCEPTED).then_told()


def test_a2_moving_to_free_keeps_purchased_packs() -> None:
    story = given(open_account(), purchase(1)).when(change_plan("free"))

    story.then(did(ev.PlanChanged, plan="free"), ACCEPTED).then_stands(pool="purchased", total=10, packs=1)


def test_a2_moving_up_from_free_grants_them_if_never_granted() -> None:
    story = given(open_account("free")).when(change_plan("growth"))

    story.then(
        did(ev.PlanChanged, plan="growth"),
        did(ev.ComplimentaryGranted, sessions=5),
        did(ev.SessionsAvailable, reason="plan_changed", total=5, used=0, remaining=5),
        ACCEPTED,
    )


def test_a2_moving_up_from_free_with_a_purchased_pool_grants_nothing() -> None:
    story = given(open_account("free"), purchase(1), sessions(3)).when(change_plan("growth"))

    story.then(did(ev.PlanChanged), ACCEPTED).then_stands(pool="purchased", total=10, used=3)


def test_a2_only_a_move_from_free_grants_them_later() -> None:
    story = given(open_account("free"), purchase(1), change_plan("growth"), reduce(1), tick(APRIL))

    story.then_stands(pool="none").when(change_plan("pro")).then(did(ev.PlanChanged, plan="pro"), ACCEPTED)


def test_a2_moving_back_to_free_and_up_again_with_an_empty_place_grants_them_if_never_granted() -> None:
    story = given(open_account("free"), purchase(1), change_plan("growth"), reduce(1), tick(APRIL), change_plan("free"))

    story.when(change_plan("pro")).then(
        did(ev.PlanChanged), did(ev.ComplimentaryGranted, sessions=5), did(ev.SessionsAvailable), ACCEPTED
    )


def test_a2_moving_between_paid_plans_keeps_the_pool() -> None:
    story = given(open_account("growth"), sessions(2)).when(change_plan("enterprise"))

    story.then(did(ev.PlanChanged, plan="enterprise"), ACCEPTED).then_stands(pool="complimentary", used=2, total=5)


@pytest.mark.parametrize("plan", ["free", "growth"])
def test_a2_changing_to_the_same_plan_is_accepted_and_changes_nothing(plan: Plan) -> None:
    story = given(open_account(plan)).when(change_plan(plan))

    story.then(ACCEPTED).then_answered(did(CommandResult, reason=None))


# --- Packs -----------------------------------------------------------------------------------------------------------


def test_a3_a_pack_is_1000_sessions_for_100_usd() -> None:
    story = given(open_account("free"), rules=Rules()).when(purchase(1))

    story.then(
        did(ev.PacksPurchased, packs=1, sessions=1000, charge=Money(10_000, "USD"), total=1000),
        did(ev.SessionsAvailable),
        ACCEPTED,
    )


@pytest.mark.parametrize("billing_cycle", ["monthly", "quarterly", "half_yearly", "annual"])
def test_a3_the_price_does_not_depend_on_the_cycles_length(billing_cycle: BillingCycle) -> None:
    story = given(open_account("free", billing_cycle=billing_cycle)).when(purchase(3))

    assert [Money(300, "USD")] == [event.charge for event in story.events if isinstance(event, ev.PacksPurchased)]


def test_a3_sizes_price_and_currency_are_settings() -> None:
    rules = Rules(prices=PriceBook(pack_sessions=7, pack_price_minor=12_345, currency="EUR", complimentary_sessions=2))
    story = given(open_account(), rules=rules).then_stands(total=2)

    story.when(purchase(2)).then(
        did(ev.ComplimentaryForfeited, sessions=2),
        did(ev.PacksPurchased, sessions=14, charge=Money(24_690, "EUR"), total=14),
        ACCEPTED,
    )


def test_a5_packs_add_to_the_current_cycle_at_once_and_to_the_following_ones() -> None:
    story = given(open_account(), purchase(1), sessions(4)).when(purchase(2), tick(APRIL), tick(MAY))

    story.then(
        did(ev.PacksPurchased, packs=2, total=30, used=4),
        ACCEPTED,
        did(ev.CycleStarted, number=2, packs=3, total=30, charge=Money(300, "USD")),
        did(ev.CycleStarted, number=3, packs=3, total=30, charge=Money(300, "USD")),
    )


def test_a5_packs_are_charged_in_full_on_the_last_millisecond_of_the_cycle() -> None:
    story = given(open_account("free")).when(purchase(1, at=APRIL - 1), tick(APRIL))

    charges = [event.charge for event in story.events if isinstance(event, ev.PacksPurchased | ev.CycleStarted)]
    assert [Money(100, "USD"), Money(100, "USD")] == charges


def test_a5_buying_neither_extends_nor_restarts_the_cycle() -> None:
    story = given(open_account())
    before = story.account.cycle

    story.when(purchase(1))

    assert before == story.account.cycle
    assert (before.starts_at, before.ends_at) == (MARCH, APRIL)


def test_a5_buying_more_packs_does_not_restart_used() -> None:
    given(open_account(), purchase(1), sessions(4), purchase(1)).then_stands(used=4, total=20, remaining=16)


def test_a5_a_used_up_complimentary_pool_is_replaced_with_nothing_forfeited() -> None:
    story = given(open_account(), sessions(5)).when(purchase(1))

    story.then(
        did(ev.ComplimentaryForfeited, sessions=0),
        did(ev.PacksPurchased, total=10, used=0),
        did(ev.SessionsAvailable, reason="packs_purchased", used=0, total=10),
        ACCEPTED,
    )


def test_a7_reducing_takes_effect_at_the_next_cycle() -> None:
    story = given(open_account(), purchase(3), sessions(2)).when(reduce(1), tick(APRIL))

    story.then(
        did(ev.PackReductionScheduled, packs=1, packs_next_cycle=2),
        ACCEPTED,
        did(ev.CycleStarted, packs=2, total=20, charge=Money(200, "USD")),
    )


def test_a7_the_current_cycle_keeps_its_packs() -> None:
    given(open_account(), purchase(3), reduce(2)).then_stands(packs=3, packs_next_cycle=1, total=30)


def test_a7_reductions_add_up() -> None:
    given(open_account(), purchase(3), reduce(1), reduce(2)).then_stands(packs=3, packs_next_cycle=0)


def test_a7_reducing_below_zero_is_refused() -> None:
    story = given(open_account(), purchase(2), reduce(1)).when(reduce(2))

    story.then(refused("reduces_below_zero")).then_stands(packs_next_cycle=1)
    story.then_answered(did(CommandResult, message="the next cycle has 1 packs, 2 cannot be taken away"))


def test_a7_there_is_nothing_to_reduce_without_packs() -> None:
    given(open_account()).when(reduce(1)).then(refused("reduces_below_zero"))


def test_a7_buying_while_a_reduction_is_pending_raises_current_and_next_alike() -> None:
    story = given(open_account(), purchase(3), reduce(2)).when(purchase(1))

    story.then(did(ev.PacksPurchased, packs=1, total=40), ACCEPTED).then_stands(packs=4, packs_next_cycle=2)


def test_a7_cancelling_sets_the_next_cycle_back_to_the_current_packs() -> None:
    story = given(open_account(), purchase(3), reduce(1), reduce(1), purchase(1)).when(cancel_reduction())

    story.then(did(ev.PackReductionCancelled, packs_next_cycle=4), ACCEPTED).then_stands(packs=4, packs_next_cycle=4)


def test_a7_cancelling_without_a_pending_reduction_is_refused() -> None:
    story = given(open_account(), purchase(1), reduce(1), cancel_reduction()).when(cancel_reduction())

    story.then(refused("no_pending_reduction"))


def test_a7_once_in_effect_a_reduction_cannot_be_cancelled() -> None:
    story = given(open_account(), purchase(2), reduce(1), tick(APRIL)).when(cancel_reduction())

    story.then(refused("no_pending_reduction")).then_stands(packs=1, packs_next_cycle=1)


def test_a7_bought_back_packs_do_not_end_a_pending_reduction() -> None:
    story = given(open_account(), purchase(1), reduce(1), purchase(1)).then_stands(packs=2, packs_next_cycle=1)

    story.when(tick(APRIL)).then_stands(packs=1, total=10)


def test_a8_sessions_can_all_be_used_at_once() -> None:
    story = given(open_account("free"), purchase(1)).when(sessions(10))

    story.then_stands(used=10, remaining=0)
    assert {"started"} == {*story.outcomes}


def test_a8_sessions_can_be_used_on_the_last_millisecond_of_the_cycle() -> None:
    story = given(open_account("free"), purchase(1), sessions(1)).when(sessions(9, at=APRIL - 1))

    story.then_stands(used=10, remaining=0)
    assert {1} == {event.cycle_number for event in story.events if isinstance(event, ev.SessionStarted)}


# --- Credits ---------------------------------------------------------------------------------------------------------


def test_a10_a_credit_adds_to_a_complimentary_pool_and_stays_with_it_across_cycles() -> None:
    story = given(open_account(), sessions(2)).when(credit(3), tick(APRIL))

    story.then(
        did(ev.SessionsCredited, sessions=3, reason="outage", pool="complimentary", total=8, used=2),
        ACCEPTED,
        did(ev.CycleStarted, pool="complimentary", total=8, used=2, expired=0),
    )


def test_a10_credits_to_a_complimentary_pool_are_forfeited_with_it() -> None:
    story = given(open_account(), credit(3), sessions(2)).when(purchase(1))

    story.then(did(ev.ComplimentaryForfeited, sessions=6), did(ev.PacksPurchased, total=10, used=0), ACCEPTED)


def test_a10_a_credit_adds_to_a_purchased_pool_and_expires_with_the_cycle() -> None:
    story = given(open_account(), purchase(1), sessions(2)).when(credit(3), tick(APRIL))

    story.then(
        did(ev.SessionsCredited, pool="purchased", total=13, used=2),
        ACCEPTED,
        did(ev.CycleStarted, pool="purchased", total=10, used=0, expired=11),
    )


def test_a10_without_a_pool_a_credit_opens_a_purchased_one_without_packs() -> None:
    story = given(open_account("free")).when(credit(3))

    story.then(
        did(ev.SessionsCredited, pool="purchased", total=3, used=0),
        did(ev.SessionsAvailable, reason="sessions_credited", remaining=3),
        ACCEPTED,
    )
    story.then_stands(pool="purchased", packs=0, packs_next_cycle=0, total=3, status="active")


def test_a10_that_pool_lasts_to_the_cycles_end() -> None:
    story = given(open_account("free"), credit(3), sessions(1)).when(tick(APRIL))

    story.then(
        did(ev.CycleStarted, pool="none", packs=0, total=0, used=0, expired=2, charge=None),
        did(ev.SessionsExhausted, reason="no_sessions"),
    )


def test_a10_packs_add_to_a_pool_that_a_credit_opened() -> None:
    story = given(open_account("free"), credit(3), sessions(1)).when(purchase(1))

    story.then(did(ev.PacksPurchased, total=13, used=1), ACCEPTED)


def test_a10_a_credit_wakes_a_used_up_pool() -> None:
    story = given(open_account(), sessions(5)).when(credit(2))

    story.then(did(ev.SessionsCredited, total=7, used=5), did(ev.SessionsAvailable, remaining=2), ACCEPTED)


def test_a10_a_credited_account_moving_up_from_free_gets_no_complimentary_pool() -> None:
    story = given(open_account("free"), credit(1)).when(change_plan("growth"))

    story.then(did(ev.PlanChanged), ACCEPTED).then_stands(pool="purchased", total=1)
