"""Commands: their answers, repetitions, refusals, and the end of an account (C1 to C4)."""

from __future__ import annotations

import pytest

from botmeter.domain import events as ev
from botmeter.domain.announcements import SuspendedBot
from botmeter.domain.commands import CommandResult
from botmeter.domain.prices import DAY_MS, HOUR_MS

from .ledger import (
    ACCEPTED,
    APRIL,
    MAY,
    NOON,
    Step,
    cancel_reduction,
    change_billing_cycle,
    change_plan,
    close_account,
    credit,
    did,
    given,
    interaction,
    invalid,
    open_account,
    purchase,
    reduce,
    refused,
    sessions,
    set_auto_recharge,
    set_contacts,
    set_thresholds,
    tick,
)

EVERY_COMMAND: list[tuple[str, Step]] = [
    ("open_account", open_account()),
    ("change_plan", change_plan("pro")),
    ("purchase_packs", purchase(1)),
    ("reduce_packs", reduce(1)),
    ("cancel_reduction", cancel_reduction()),
    ("change_billing_cycle", change_billing_cycle("annual")),
    ("credit_sessions", credit(1)),
    ("set_thresholds", set_thresholds(50)),
    ("set_auto_recharge", set_auto_recharge(1, 1)),
    ("set_contacts", set_contacts("a@x.example")),
    ("close_account", close_account()),
]
#: All but the command that opens an account.
LATER_COMMANDS = EVERY_COMMAND[1:]


# --- C1: the same command again --------------------------------------------------------------------------------------


def test_c1_the_same_command_again_changes_nothing_and_is_answered_the_same() -> None:
    story = given(open_account(), purchase(1, id_="k"))
    first = story.ledger.results[-1]

    story.when(purchase(1, id_="k", at=NOON + HOUR_MS))

    story.then().then_stands(packs=1)
    assert [first] == story.results


def test_c1_opening_again_with_the_same_id_is_accepted_again_and_not_refused() -> None:
    story = given(open_account(id_="k")).when(open_account(id_="k"))

    story.then().then_answered(did(CommandResult, command_id="k", reason=None, version=3))


def test_c1_a_refusal_is_repeated_also_when_it_would_be_accepted_by_now() -> None:
    story = given(open_account(), reduce(1, id_="k"), purchase(1)).when(reduce(1, id_="k"))

    story.then().then_answered(did(CommandResult, reason="reduces_below_zero")).then_stands(packs_next_cycle=1)
    assert story.ledger.results[1] == story.results[0]


def test_c1_an_acceptance_is_repeated_also_when_it_would_be_refused_by_now() -> None:
    story = given(open_account(), purchase(1), reduce(1, id_="k")).when(reduce(1, id_="k"))

    story.then().then_answered(did(CommandResult, reason=None))


def test_c1_the_same_id_with_other_content_changes_nothing_either() -> None:
    story = given(open_account(), purchase(1, id_="k")).when(
        purchase(7, id_="k"), close_account(id_="k"), invalid(id_="k")
    )

    story.then().then_stands(packs=1, status="active")
    assert len(set(story.results)) == 1


def test_c1_the_answer_outlives_the_account() -> None:
    story = given(open_account(), purchase(1, id_="k"), close_account()).when(purchase(1, id_="k"))

    story.then().then_answered(did(CommandResult, reason=None))


def test_c1_exactly_30_days_later_the_id_is_still_known() -> None:
    story = given(open_account(), credit(1, id_="k")).when(credit(1, id_="k", at=NOON + 30 * DAY_MS))

    story.then(did(ev.CycleStarted)).then_answered(did(CommandResult, at=NOON))


def test_c1_after_30_days_the_id_is_new() -> None:
    story = given(open_account(), credit(1, id_="k")).when(credit(1, id_="k", at=NOON + 30 * DAY_MS + 1))

    story.then(did(ev.CycleStarted), did(ev.SessionsCredited, total=7), ACCEPTED)
    story.then_answered(did(CommandResult, command_id="k", at=NOON + 30 * DAY_MS + 1))


def test_c1_an_id_taken_anew_is_known_for_another_30_days() -> None:
    again = NOON + 31 * DAY_MS
    story = given(open_account(), credit(1, id_="k"), credit(1, id_="k", at=again))

    story.when(credit(1, id_="k", at=again + 1)).then().then_answered(did(CommandResult, at=again))


def test_c1_results_older_than_30_days_are_forgotten_by_the_next_command() -> None:
    story = given(open_account(id_="old")).when(credit(1, id_="new", at=NOON + 31 * DAY_MS))

    assert [*story.account.handled] == ["new"]


def test_c1_every_command_to_a_known_account_is_kept_in_the_journal() -> None:
    for name, step in EVERY_COMMAND:
        story = given(open_account()).when(step)

        last = story.events[-1]
        assert isinstance(last, ev.CommandHandled)
        assert (name, "tester") == (last.command, last.issued_by)


def test_c1_a_refusal_is_kept_with_its_reason_and_message() -> None:
    story = given(open_account()).when(reduce(1, id_="k"))

    last = story.events[-1]
    assert isinstance(last, ev.CommandHandled)
    assert (last.command_id, last.result, last.reason) == ("k", "rejected", "reduces_below_zero")
    assert last.message == story.results[0].message
    assert last.message


def test_c1_a_refusal_to_an_unknown_account_is_not_kept() -> None:
    story = given(purchase(1, id_="k"), open_account("free")).when(purchase(1, id_="k"))

    story.then(did(ev.PacksPurchased), did(ev.SessionsAvailable), ACCEPTED)


# --- C2: answers and refusals ----------------------------------------------------------------------------------------


def test_c2_an_accepted_command_is_answered_with_the_accounts_version() -> None:
    story = given(open_account()).when(purchase(1, id_="k"))

    story.then_answered(
        did(CommandResult, command_id="k", at=NOON, version=story.account.version, reason=None, message=None)
    )


@pytest.mark.parametrize(("name", "step"), LATER_COMMANDS)
def test_c2_commands_to_an_unknown_account_are_refused(name: str, step: Step) -> None:
    story = given().when(step)

    assert name
    story.then().then_answered(did(CommandResult, reason="unknown_account", version=None))


@pytest.mark.parametrize(("name", "step"), EVERY_COMMAND)
def test_c2_commands_to_a_closed_account_are_refused(name: str, step: Step) -> None:
    story = given(open_account(), purchase(2), reduce(1), close_account()).when(step)

    story.then(did(ev.CommandHandled, command=name, result="rejected", reason="account_closed"))


def test_c2_opening_an_open_account_is_refused() -> None:
    story = given(open_account("growth"), sessions(2)).when(open_account("pro"))

    story.then(refused("account_exists")).then_stands(used=2)


def test_c2_an_invalid_command_is_refused_with_its_message() -> None:
    story = given(open_account()).when(invalid("purchase_packs", "packs must be at least 1", id_="k"))

    story.then(did(ev.CommandHandled, command="purchase_packs", reason="invalid", message="packs must be at least 1"))
    story.then_answered(did(CommandResult, reason="invalid", message="packs must be at least 1"))


def test_c2_invalid_is_judged_before_unknown_account() -> None:
    given().when(invalid("open_account"), invalid()).then().then_answered(
        did(CommandResult, reason="invalid", version=None), did(CommandResult, reason="invalid")
    )


def test_c2_invalid_is_judged_before_account_closed() -> None:
    given(open_account(), close_account()).when(invalid()).then(refused("invalid"))


def test_c2_account_closed_is_judged_before_account_exists() -> None:
    given(open_account(), close_account()).when(open_account()).then(refused("account_closed"))


def test_c2_account_closed_is_judged_before_the_rules_of_a_command() -> None:
    given(open_account(), close_account()).when(reduce(99), cancel_reduction()).then(
        refused("account_closed"), refused("account_closed")
    )


def test_c2_a_refused_command_changes_nothing_but_what_is_remembered_of_it() -> None:
    story = given(open_account(), purchase(1), sessions(3))
    before = story.account

    story.when(reduce(2), cancel_reduction(), open_account(), invalid())

    after = story.account
    assert (before.status, before.terms, before.cycle, before.allowance, before.past_cycle) == (
        after.status,
        after.terms,
        after.cycle,
        after.allowance,
        after.past_cycle,
    )
    assert before.version + 4 == after.version


def test_c2_contacts_thresholds_and_recharge_are_as_commanded() -> None:
    story = given(open_account()).when(
        set_contacts("a@x.example", "b@x.example"), set_thresholds(7, 70), set_auto_recharge(9, 2)
    )

    terms = story.account.terms
    assert (
        terms.contacts,
        terms.thresholds,
        terms.recharge_below,
        terms.recharge_packs,
    ) == (("a@x.example", "b@x.example"), (7, 70), 9, 2)


# --- C3: when --------------------------------------------------------------------------------------------------------


def test_c3_a_command_takes_effect_at_its_brokers_time() -> None:
    story = given(open_account()).when(purchase(1, at=NOON + HOUR_MS))

    assert {NOON + HOUR_MS} == {event.at for event in story}


def test_c3_a_due_boundary_is_rolled_before_the_command_is_judged() -> None:
    """The reduction has taken effect when its cancelling arrives, so there is nothing left to cancel."""
    story = given(open_account(), purchase(2), reduce(1)).when(cancel_reduction(at=APRIL))

    story.then(did(ev.CycleStarted, packs=1), refused("no_pending_reduction"))


# --- C4: the end -----------------------------------------------------------------------------------------------------


def test_c4_closing_suspends_the_bots() -> None:
    story = given(open_account()).when(close_account())

    story.then(did(ev.AccountClosed, was_exhausted=False, at=NOON), ACCEPTED)
    story.then_told(did(SuspendedBot, reason="account_closed", version=story.account.version - 1, at=NOON))
    story.then_stands(status="closed")


def test_c4_closing_an_exhausted_account_suspends_no_second_time() -> None:
    story = given(open_account("free")).when(close_account())

    story.then(did(ev.AccountClosed, was_exhausted=True), ACCEPTED).then_told()


def test_c4_interactions_of_a_closed_account_are_dead_letters_covered_or_not() -> None:
    story = given(open_account(), interaction("u-1"), close_account()).when(interaction("u-1"), interaction("u-2"))

    story.then_outcome("account_closed", "account_closed").then()


def test_c4_no_chat_of_a_closed_account_is_handed_off() -> None:
    story = given(open_account("free"), close_account()).when(interaction())

    story.then_outcome("account_closed").then()


def test_c4_nor_does_it_recharge() -> None:
    given(open_account("free"), set_auto_recharge(5, 1), close_account()).when(interaction()).then()


def test_c4_packs_of_a_closed_account_do_not_renew() -> None:
    story = given(open_account(), purchase(1), close_account()).when(
        tick(APRIL), interaction(at=MAY), purchase(1, at=MAY)
    )

    story.then(refused("account_closed"))


def test_c4_late_sessions_of_a_closed_account_are_not_charged_to_its_past() -> None:
    story = given(open_account(), purchase(1), tick(APRIL), close_account()).when(interaction(occurred_at=APRIL - 1))

    story.then_outcome("account_closed").then()


def test_c4_interactions_of_an_account_never_opened_are_dead_letters() -> None:
    given().when(interaction()).then_outcome("unknown_account").then()


def test_c2_every_refusal_in_words() -> None:
    unknown = given(purchase(1)).results
    closed = given(open_account(), close_account()).when(purchase(1)).results
    again = given(open_account()).when(open_account(), cancel_reduction()).results

    assert unknown == [CommandResult("k-0", NOON, None, "unknown_account", "account acme was never opened")]
    assert closed == [CommandResult("k-2", NOON, 6, "account_closed", "account acme is closed")]
    assert [(result.reason, result.message) for result in again] == [
        ("account_exists", "account acme is open already"),
        ("no_pending_reduction", "no reduction of packs is pending"),
    ]


def test_c1_results_are_kept_oldest_first() -> None:
    """Also where a broker's clock stepped back; an id that is taken anew comes last."""
    month = 30 * DAY_MS
    story = given(
        open_account(id_="o"), credit(1, id_="a", at=NOON + HOUR_MS), credit(1, id_="b", at=NOON),
        credit(1, id_="c", at=NOON + 2 * HOUR_MS), credit(1, id_="b", at=NOON + month + HOUR_MS // 2),
    )  # fmt: skip

    assert [*story.account.handled] == ["a", "c", "b"]
