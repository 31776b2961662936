"""What others are told beside the bare fact: how far the cycle is, what a command cost, which handoff it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from botmeter.domain.announcements import (
    Accepted,
    Alert,
    AutoRecharge,
    Balance,
    BalanceCycle,
    HandedOffChat,
    Rejected,
    ResumedBot,
    SuspendedBot,
    announce,
    answer,
    balance_of,
)
from botmeter.domain.commands import CommandResult
from botmeter.domain.contacts import ContactDetails
from botmeter.domain.prices import HOUR_MS, Money

from .ledger import (
    APRIL,
    MARCH,
    NOON,
    Story,
    change_billing_cycle,
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
    utc,
)


def test_t7_80_percent_early_in_the_cycle_and_late_in_it_can_be_told_apart() -> None:
    """After 9.5 and after 26.25 of 31 days, rounded down to one decimal."""
    early = given(open_account(), sessions(3)).when(sessions(1, at=NOON))
    late = given(open_account(), sessions(3)).when(sessions(1, at=utc("2026-03-27 06:00")))

    early.then_told(did(Alert, percent=80, cycle_starts_at=MARCH, cycle_ends_at=APRIL, cycle_elapsed_percent=30.6))
    late.then_told(did(Alert, percent=80, cycle_starts_at=MARCH, cycle_ends_at=APRIL, cycle_elapsed_percent=84.6))


@pytest.mark.parametrize(
    ("at", "elapsed"), [(MARCH - HOUR_MS, 0.0), (MARCH, 0.0), (APRIL, 100.0), (APRIL + HOUR_MS, 100.0)]
)
def test_t7_clocks_of_brokers_that_differ_do_not_lead_out_of_the_cycle(at: int, elapsed: float) -> None:
    story = given(open_account()).when(sessions(4))

    [alert] = announce(replace(story.events[-1], at=at), story.account)

    assert isinstance(alert, Alert)
    assert alert.cycle_elapsed_percent == elapsed


def test_t7_every_contact_is_passed_on_with_the_alerts_it_chose() -> None:
    chosen = ContactDetails("b@x.example", "B", "de-AT", ("sessions_exhausted",))
    story = given(open_account(contacts=("a@x.example", chosen))).when(sessions(4))

    story.then_told(did(Alert, percent=80, contacts=("a@x.example", chosen)))


def test_t1_an_alert_tells_the_terms_that_it_is_judged_by() -> None:
    story = given(
        open_account("pro", time_zone="America/New_York"), purchase(2), set_auto_recharge(1, 3), sessions(15)
    ).when(sessions(1))

    story.then_told(
        did(Alert, percent=80, plan="pro", packs=2, time_zone="America/New_York", auto_recharge=AutoRecharge(1, 3))
    )


def test_t1_an_alert_tells_that_auto_recharge_is_off() -> None:
    given(open_account()).when(sessions(4)).then_told(did(Alert, percent=80, packs=0, auto_recharge=None))


def test_t4_a_handoff_tells_where_and_when_the_end_user_wrote() -> None:
    story = given(open_account(), sessions(5)).when(interaction("late", at=NOON, occurred_at=NOON - HOUR_MS))

    story.then_told(did(HandedOffChat, widget="conversations", at=NOON, occurred_at=NOON - HOUR_MS))


def handoff_of(story: Story) -> str:
    return f"acme/{story.events[-1].version}"


def test_t3_t5_suspensions_and_resumptions_have_ids_as_chats_have() -> None:
    suspended = given(open_account(), sessions(4)).when(sessions(1))
    resumed = given(open_account(), sessions(5)).when(credit(1))
    closed = given(open_account()).when(close_account())

    suspended.then_told(did(Alert), did(SuspendedBot, handoff_id=handoff_of(suspended)))
    resumed.then_told(did(ResumedBot, handoff_id=f"acme/{resumed.events[-1].version - 1}"))
    closed.then_told(did(SuspendedBot, handoff_id=f"acme/{closed.events[-1].version - 1}"))


# --- What a command cost ---------------------------------------------------------------------------------------------


def charges(story: Story) -> list[Money | None]:
    return [result.charge for result in story.ledger.results]


def test_c2_a_purchase_is_answered_with_what_it_cost() -> None:
    story = given(open_account()).when(purchase(3))

    assert charges(story) == [None, Money(300, "USD")]
    assert answer("acme", story.ledger.results[-1]) == Accepted(
        story.ledger.results[-1].command_id, "acme", story.account.version, NOON, Money(300, "USD")
    )


def test_c1_the_same_purchase_again_is_answered_with_the_same_charge() -> None:
    story = given(open_account(), purchase(3, id_="k")).when(purchase(3, id_="k"))

    assert charges(story) == [None, Money(300, "USD"), Money(300, "USD")]
    assert story.account.allowance.packs == 3


def test_c2_packs_that_renew_before_a_command_are_not_what_it_cost() -> None:
    story = given(open_account(), purchase(3)).when(purchase(1, at=APRIL), credit(1, at=APRIL))

    assert charges(story)[-2:] == [Money(100, "USD"), None]


def test_c2_what_costs_nothing_is_answered_without_a_charge() -> None:
    story = given(open_account()).when(change_plan("pro"), reduce(1), set_auto_recharge(100, 1))

    assert charges(story) == [None, None, None, None]
    assert isinstance(answer("acme", story.ledger.results[2]), Rejected)


@pytest.mark.parametrize(
    "result", [CommandResult("k", NOON, None, None, None), CommandResult("k", NOON, 3, "invalid", None)]
)
def test_c2_a_result_that_says_neither_accepted_nor_why_it_was_refused_is_no_answer(result: CommandResult) -> None:
    with pytest.raises(ValueError, match=r"^acme: command k has no result$"):
        answer("acme", result)


# --- Balances --------------------------------------------------------------------------------------------------------


def test_balances() -> None:
    opened, empty = given(open_account(), sessions(2)).account, given(open_account("free")).account
    bought = given(open_account("pro"), purchase(3), reduce(1), sessions(20), change_billing_cycle("annual")).account
    cycle = BalanceCycle(1, "monthly", MARCH, APRIL)

    assert balance_of(opened, NOON) == Balance(
        "acme", 5, NOON, "active", "growth", "complimentary", 5, 2, 3, 40.0, 0, 0, cycle
    )
    assert balance_of(empty, APRIL) == Balance("acme", 3, APRIL, "exhausted", "free", "none", 0, 0, 0, 0.0, 0, 0, cycle)
    assert balance_of(bought, NOON) == Balance(
        "acme", bought.version, NOON, "active", "pro", "purchased", 30, 20, 10, 66.6, 3, 2, cycle
    )
