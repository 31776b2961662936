"""Auto-recharge: when it buys, once, and when not (A11)."""

from __future__ import annotations

import pytest

from botmeter.domain import events as ev
from botmeter.domain.announcements import Alert, HandedOffChat, ResumedBot, SuspendedBot
from botmeter.domain.prices import DAY_MS, Money
from botmeter.domain.sessions import Widget

from .ledger import (
    ACCEPTED,
    APRIL,
    NOON,
    SMALL,
    did,
    given,
    interaction,
    open_account,
    purchase,
    reduce,
    sessions,
    set_auto_recharge,
    set_thresholds,
    tick,
)


def test_a11_auto_recharge_is_off_by_default() -> None:
    story = given(open_account("free"), purchase(1)).when(sessions(11))

    story.then_stands(status="exhausted", packs=1)


def test_a11_setting_it_buys_nothing_yet_even_when_few_sessions_remain() -> None:
    story = given(open_account("free")).when(set_auto_recharge(5, 1))

    story.then(did(ev.AutoRechargeSet, below=5, packs=1), ACCEPTED).then_stands(packs=0, status="exhausted")


def test_a11_buys_when_a_session_start_leaves_fewer_than_below() -> None:
    story = given(open_account("free"), purchase(1), set_auto_recharge(3, 2), sessions(7)).then_stands(remaining=3)

    story.when(interaction()).then(
        did(ev.SessionStarted, used=8),
        did(ev.ThresholdReached, percent=80),
        did(
            ev.PacksPurchased,
            packs=2,
            sessions=20,
            charge=Money(200, "USD"),
            total=30,
            used=8,
            trigger="auto_recharge",
        ),
    )
    story.then_stands(packs=3, packs_next_cycle=3, remaining=22, status="active")


def test_a11_buys_under_the_rules_of_a5_so_the_packs_renew() -> None:
    story = given(open_account("free"), purchase(1), set_auto_recharge(3, 1), sessions(8)).when(tick(APRIL))

    story.then(did(ev.CycleStarted, packs=2, total=20, charge=Money(200, "USD")))


def test_a11_exhaustion_is_judged_after_the_recharge() -> None:
    story = given(open_account("free"), purchase(1), sessions(9), set_auto_recharge(1, 1)).when(interaction())

    story.then(did(ev.SessionStarted, used=10), did(ev.PacksPurchased, total=20, used=10))
    story.then_told().then_stands(status="active")


def test_a11_buys_once_however_little_that_is() -> None:
    story = given(open_account("free"), purchase(1), set_auto_recharge(500, 1)).when(interaction())

    story.then(did(ev.SessionStarted, used=1), did(ev.PacksPurchased, packs=1, total=20)).then_stands(remaining=19)


def test_a11_a_complimentary_pool_is_recharged_only_once_it_is_used_up() -> None:
    story = given(open_account(), set_thresholds(), set_auto_recharge(500, 1)).when(sessions(4))

    story.then(*[did(ev.SessionStarted)] * 4)
    story.when(interaction()).then(
        did(ev.SessionStarted, used=5, pool="complimentary"),
        did(ev.ComplimentaryForfeited, sessions=0),
        did(ev.PacksPurchased, total=10, used=0, trigger="auto_recharge"),
    )
    story.then_stands(pool="purchased", used=0, total=10, status="active")


def test_a11_below_0_buys_only_when_a_session_would_have_to_be_refused() -> None:
    story = given(open_account("free"), set_thresholds(), purchase(1), set_auto_recharge(0, 1)).when(sessions(10))

    story.then(*[did(ev.SessionStarted)] * 10, did(ev.SessionsExhausted)).then_stands(packs=1)
    story.when(interaction()).then_outcome("started").then(
        did(ev.PacksPurchased, packs=1, total=20, used=10, trigger="auto_recharge"),
        did(ev.SessionsAvailable, reason="packs_purchased", remaining=10),
        did(ev.SessionStarted, used=11),
    )
    story.then_told(did(ResumedBot, reason="packs_purchased"))


def test_a11_below_0_replaces_a_used_up_complimentary_pool_at_the_next_refusal() -> None:
    story = given(open_account(), set_auto_recharge(0, 1), sessions(5)).then_stands(status="exhausted")

    story.when(interaction()).then(
        did(ev.ComplimentaryForfeited, sessions=0),
        did(ev.PacksPurchased, total=10, used=0),
        did(ev.SessionsAvailable, used=0, total=10),
        did(ev.SessionStarted, pool="purchased", used=1),
    )


@pytest.mark.parametrize(("widget", "preview"), [("conversations", True), ("self_service", False)])
def test_a11_previews_and_self_service_recharge_as_well(widget: Widget, preview: bool) -> None:  # noqa: FBT001
    story = given(open_account("free"), set_auto_recharge(0, 1)).when(interaction(widget=widget, preview=preview))

    story.then_outcome("started").then(
        did(ev.PacksPurchased, trigger="auto_recharge"), did(ev.SessionsAvailable), did(ev.SessionStarted, used=1)
    )


def test_a11_a_recharge_at_a_refusal_is_the_only_one_of_that_interaction() -> None:
    story = given(open_account("free"), set_auto_recharge(500, 1)).when(interaction())

    story.then(
        did(ev.PacksPurchased, packs=1, total=10, trigger="auto_recharge"),
        did(ev.SessionsAvailable),
        did(ev.SessionStarted, used=1),
    )


def test_a11_a_covered_interaction_recharges_nothing() -> None:
    story = given(open_account(), interaction("u-1"), sessions(4), set_auto_recharge(5, 1)).when(interaction("u-1"))

    story.then_outcome("covered").then()


def test_a11_0_packs_switch_it_off() -> None:
    story = given(open_account("free"), set_auto_recharge(5, 1), set_auto_recharge(5, 0)).when(interaction())

    story.then_outcome("handed_off").then_stands(packs=0)


def test_a11_a_recharge_arms_thresholds_again_and_alerts_nothing_by_itself() -> None:
    story = given(open_account("free"), purchase(1), set_auto_recharge(3, 1), sessions(8)).then_told(
        did(SuspendedBot), did(ResumedBot), did(Alert, percent=80, used=8, total=10)
    )

    story.when(set_auto_recharge(0, 0), sessions(7)).then_told()
    story.when(sessions(1)).then_told(did(Alert, percent=80, used=16, total=20))


def test_a11_a_recharge_while_a_reduction_is_pending_raises_current_and_next_alike() -> None:
    story = given(open_account("free"), purchase(2), reduce(2), set_auto_recharge(20, 1)).when(interaction())

    story.then_stands(packs=3, packs_next_cycle=1)


def test_a11_at_the_first_refusal_of_a_new_cycle_without_packs() -> None:
    story = given(open_account("free"), purchase(1), reduce(1), set_auto_recharge(0, 1)).when(interaction(at=APRIL))

    story.then(
        did(ev.CycleStarted, pool="none", at=APRIL),
        did(ev.SessionsExhausted, reason="no_sessions"),
        did(ev.PacksPurchased, packs=1, total=10, used=0),
        did(ev.SessionsAvailable, reason="packs_purchased"),
        did(ev.SessionStarted, used=1, cycle_number=2),
    )


def test_a11_no_chat_is_handed_off_by_the_interaction_that_recharges() -> None:
    story = given(open_account("free"), set_auto_recharge(0, 1), rules=SMALL).when(interaction(at=NOON + DAY_MS))

    assert [told for told in story.ledger.announcements if isinstance(told, HandedOffChat)] == []
