"""The journal: the state is its fold, versions have no gaps, decisions are pure (J1, J2, J3, J5)."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from botmeter.domain import events as ev
from botmeter.domain.account import Account, Allowance, evolve_over_gap, fold
from botmeter.domain.billing import decide_command, decide_tick
from botmeter.domain.commands import PurchasePacks
from botmeter.domain.decision import Decision
from botmeter.domain.events import CommandCause, Event, InteractionCause, TimerCause
from botmeter.domain.metering import Memory, decide_interaction
from botmeter.domain.prices import DAY_MS
from botmeter.domain.sessions import Interaction

from .ledger import (
    APRIL,
    MAY,
    NOON,
    SMALL,
    Step,
    Story,
    cancel_reduction,
    change_billing_cycle,
    change_plan,
    close_account,
    credit,
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


def a_whole_life() -> Story:
    """An account that saw every kind of event."""
    return given(
        open_account("growth", contacts=("a@x.example",)),
        set_thresholds(40, 80),
        set_contacts("b@x.example"),
        sessions(5),
        interaction("handed-off"),
        credit(2),
        purchase(2),
        reduce(1),
        cancel_reduction(),
        reduce(1),
        change_billing_cycle("quarterly"),
        set_auto_recharge(3, 1),
        sessions(25),
        tick(APRIL),
        interaction("late", occurred_at=APRIL - 1),
        change_plan("free"),
        close_account(at=MAY),
    )


def test_j1_the_state_is_the_fold_of_the_journal() -> None:
    story = a_whole_life()

    assert story.account == fold(None, story.events)


def test_j1_every_kind_of_event_is_folded() -> None:
    kinds = {type(event) for event in a_whole_life()}

    assert {*ev.Event.__args__} == kinds


def test_j1_a_fold_can_be_continued_from_any_version() -> None:
    story = a_whole_life()

    for version in range(1, len(story.events)):
        snapshot = fold(None, story.events[:version])

        assert snapshot is not None
        assert version == snapshot.version
        assert story.account == fold(snapshot, story.events[version:])


def test_j1_versions_count_from_1_without_gaps() -> None:
    story = a_whole_life()

    assert [*range(1, len(story.events) + 1)] == [event.version for event in story]
    assert {"acme"} == {event.account_id for event in story}


@pytest.mark.parametrize("step", [-1, 0, 2])
def test_j1_an_event_out_of_version_is_refused(step: int) -> None:
    story = given(open_account(), sessions(1))
    wrong = replace(story.events[-1], version=story.account.version + step)

    with pytest.raises(ValueError, match="follows version"):
        fold(story.account, [wrong])


def test_j1_a_journal_begins_with_the_opening_at_version_1() -> None:
    opened, granted, *_ = given(open_account()).events

    with pytest.raises(ValueError, match="no account before it"):
        fold(None, [granted])
    with pytest.raises(ValueError, match="no account before it"):
        fold(None, [replace(opened, version=2)])


def test_j1_an_account_opens_only_once() -> None:
    story = given(open_account())

    with pytest.raises(ValueError, match=r"^acme: AccountOpened cannot follow version 3$"):
        fold(story.account, [replace(story.events[0], version=story.account.version + 1)])


def without(story: Story, *lost: type[Event]) -> Account | None:
    """The account that is left when events of these types are lost and somebody has accepted that."""
    account: Account | None = None
    for event in story:
        if not isinstance(event, lost):
            account = evolve_over_gap(account, event)
    return account


def test_j1_over_an_accepted_gap_a_cycle_tells_its_length_although_the_change_to_it_is_lost() -> None:
    story = given(open_account(), change_billing_cycle("annual"), tick(APRIL))

    assert without(story, ev.BillingCycleChangeScheduled) == story.account


@pytest.mark.parametrize("step", [credit(2), purchase(1)])
def test_j1_over_an_accepted_gap_credits_and_packs_tell_what_was_used_although_the_sessions_are_lost(
    step: Step,
) -> None:
    story = given(open_account("free"), purchase(1), sessions(3), step)
    account = without(story, ev.SessionStarted)

    assert account is not None
    assert account.allowance == story.account.allowance


def test_j1_over_an_accepted_gap_granted_sessions_are_all_unused_although_the_end_of_the_pool_before_is_lost() -> None:
    story = given(open_account("free"), credit(5), sessions(4), tick(APRIL), change_plan("growth"))
    account = without(story, ev.CycleStarted)

    assert account is not None
    assert account.allowance == story.account.allowance == Allowance("complimentary", 5, 0, 0, 0, ())


def test_j1_nothing_is_decided_for_an_account_that_is_none() -> None:
    with pytest.raises(ValueError, match="no account"):
        _ = Decision(None, TimerCause(0)).account


def test_j1_no_events_fold_to_no_account() -> None:
    assert fold(None, []) is None


def test_j2_the_same_decision_twice_gives_the_same_events_and_leaves_the_state_alone() -> None:
    story = given(open_account(), purchase(1), sessions(9))
    account, kept = story.account, replace(story.account, handled=dict(story.account.handled))
    someone = Interaction("u", "b", "c", "conversations", "end_user", preview=False, occurred_at=APRIL)
    said = InteractionCause("chat.interactions", 0, 99, "e-99")
    asked = CommandCause("billing.commands", 0, 99, "k-99", 99)

    def decide() -> tuple[object, ...]:
        return (
            decide_interaction(account, someone, Memory(), APRIL, said, SMALL),
            decide_command("acme", account, PurchasePacks("k-99", "me", 1), APRIL, asked, SMALL),
            decide_tick(account, APRIL, TimerCause(99), SMALL),
        )

    assert decide() == decide()
    assert kept == account


def test_j2_state_and_events_cannot_be_changed() -> None:
    story = given(open_account())

    with pytest.raises(FrozenInstanceError):
        story.account.version = 7  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        setattr(story.events[0], "at", 7)  # noqa: B010 - each kind of event is frozen


def test_j3_every_event_names_its_cause() -> None:
    story = given(open_account(), purchase(1)).when(sessions(1), credit(1), tick(APRIL))

    assert [
        InteractionCause("chat.interactions", 0, 0, "e-0"),
        CommandCause("billing.commands", 0, 2, "k-2", before_offset=1),
        CommandCause("billing.commands", 0, 2, "k-2", before_offset=1),
        TimerCause(before_offset=1),
    ] == [event.cause for event in story]


def test_j3_cycles_rolled_by_a_record_name_that_record() -> None:
    story = given(open_account(), purchase(1)).when(interaction(at=APRIL))

    assert {InteractionCause("chat.interactions", 0, 0, "e-0")} == {event.cause for event in story}


def test_j5_at_is_the_brokers_time_of_the_cause_and_of_a_rollover_the_boundary() -> None:
    story = given(open_account(), purchase(1), reduce(1)).when(
        interaction(at=MAY + DAY_MS, occurred_at=MAY), credit(1, at=MAY + DAY_MS + 5)
    )

    assert [(type(event).__name__, event.at) for event in story] == [
        ("CycleStarted", APRIL),
        ("SessionsExhausted", APRIL),
        ("CycleStarted", MAY),
        ("ChatHandedOff", MAY + DAY_MS),
        ("SessionsCredited", MAY + DAY_MS + 5),
        ("SessionsAvailable", MAY + DAY_MS + 5),
        ("CommandHandled", MAY + DAY_MS + 5),
    ]


def test_j5_an_opening_is_dated_by_its_command_not_by_the_anchor() -> None:
    assert {NOON} == {event.at for event in given(open_account(anchor=MAY))}
