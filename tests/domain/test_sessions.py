"""Sessions: which interactions open one, which join one, which are none at all (S1 to S9)."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from botmeter.domain import events as ev
from botmeter.domain.prices import DAY_MS, HOUR_MS, MINUTE_MS, Rules
from botmeter.domain.sessions import Actor, Widget, is_covered, memory_ms, session_id, with_start

from .ledger import (
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
    tick,
    utc,
)

ALL_CHATS = replace(SMALL, exhaustion="all_chats")


def test_s1_the_first_interaction_opens_a_session_of_24_hours() -> None:
    story = given(open_account()).when(interaction("u-1"))

    story.then_outcome("started").then(
        did(ev.SessionStarted, end_user_id="u-1", started_at=NOON, ends_at=NOON + DAY_MS, used=1, cycle_number=1)
    )


def test_s1_interaction_one_millisecond_before_24_hours_joins_the_session() -> None:
    story = given(open_account(), interaction()).when(interaction(at=NOON + DAY_MS - 1))

    story.then_outcome("covered").then().then_stands(used=1)


def test_s1_interaction_exactly_24_hours_later_opens_a_new_session() -> None:
    story = given(open_account(), interaction()).when(interaction(at=NOON + DAY_MS))

    story.then_outcome("started").then(did(ev.SessionStarted, started_at=NOON + DAY_MS, used=2))


def test_s1_later_interactions_do_not_extend_the_window() -> None:
    busy = [interaction(at=NOON + hours * HOUR_MS) for hours in range(24)]

    story = given(open_account(), *busy).when(interaction(at=NOON + DAY_MS))

    story.then_outcome("started").then_stands(used=2)


def test_s1_session_of_2359_covers_the_next_day_until_2359() -> None:
    evening = utc("2026-03-10 23:59")
    story = given(open_account(), interaction(at=evening))

    story.when(
        interaction(at=utc("2026-03-11 00:00")),
        interaction(at=utc("2026-03-11 23:58")),
        interaction(at=utc("2026-03-11 23:59")),
    )

    story.then_outcome("covered", "covered", "started")


def test_s2_one_window_spans_bots_conversations_and_widgets() -> None:
    story = given(open_account(), interaction(bot="b-1", conversation="c-1", widget="conversations"))

    story.when(
        interaction(bot="b-2"),
        interaction(conversation="c-2"),
        interaction(widget="self_service"),
        interaction(bot="b-3"),
    )

    story.then_outcome("covered", "covered", "covered", "covered").then()


def test_s2_each_end_user_has_windows_of_their_own() -> None:
    story = given(open_account(), interaction("u-1", conversation="c")).when(interaction("u-2", conversation="c"))

    story.then_outcome("started").then(did(ev.SessionStarted, end_user_id="u-2", used=2))


@pytest.mark.parametrize("actor", ["bot", "agent", "system"])
def test_s3_what_others_than_end_users_say_is_ignored(actor: Actor) -> None:
    story = given(open_account()).when(interaction(actor=actor))

    story.then_outcome("ignored").then().then_stands(used=0)


def test_s3_an_end_user_writing_to_an_agent_is_ignored() -> None:
    given(open_account()).when(interaction(bot=None)).then_outcome("ignored").then()


def test_s3_ignored_interactions_do_not_lengthen_or_open_a_window() -> None:
    story = given(open_account(), interaction(actor="bot"), interaction(bot=None))

    story.when(interaction()).then_outcome("started")


def test_s3_ignored_interactions_are_no_dead_letters_even_when_absurdly_dated_or_of_an_unknown_account() -> None:
    given().when(interaction(actor="agent", occurred_at=0)).then_outcome("ignored").then()


def test_s3_ignored_interactions_hand_nothing_off_while_exhausted() -> None:
    story = given(open_account("free")).when(interaction(actor="bot"), interaction(bot=None))

    story.then_outcome("ignored", "ignored").then()


def test_s4_a_preview_consumes_a_session_of_its_own() -> None:
    story = given(open_account(), interaction("u-1")).when(interaction("u-1", preview=True))

    story.then_outcome("started").then(did(ev.SessionStarted, preview=True, used=2))


def test_s4_a_preview_joins_its_own_window_and_not_the_live_one() -> None:
    story = given(open_account(), interaction(preview=True), interaction(at=NOON + HOUR_MS))

    story.when(interaction(preview=True, at=NOON + DAY_MS), interaction(at=NOON + DAY_MS))

    story.then_outcome("started", "covered").then_stands(used=3)


def test_s4_a_preview_never_causes_a_handoff() -> None:
    story = given(open_account("free")).when(interaction(preview=True))

    story.then_outcome("refused").then()


def test_s4_a_preview_exhausts_and_alerts_like_a_live_session() -> None:
    story = given(open_account(), sessions(4)).when(interaction(preview=True))

    story.then(did(ev.SessionStarted, preview=True, used=5), did(ev.SessionsExhausted, reason="sessions_exhausted"))


def test_s5_an_interaction_from_before_a_known_start_is_covered_and_does_not_move_it() -> None:
    story = given(open_account(), interaction(at=NOON)).when(
        interaction(at=NOON + 1, occurred_at=NOON - 20 * HOUR_MS), interaction(at=NOON + DAY_MS - 1)
    )

    story.then_outcome("covered", "covered").then()


@pytest.mark.parametrize("side", [-1, 1])
def test_s5_one_millisecond_less_than_24_hours_on_either_side_is_covered(side: int) -> None:
    story = given(open_account(), interaction(at=NOON)).when(
        interaction(occurred_at=NOON + side * (DAY_MS - 1), at=NOON + DAY_MS)
    )

    story.then_outcome("covered").then()


def test_s5_an_interaction_before_any_known_start_opens_a_session_even_when_later_ones_are_known() -> None:
    story = given(open_account(), interaction(at=NOON)).when(interaction(occurred_at=NOON - 30 * HOUR_MS))

    story.then_outcome("started").then(did(ev.SessionStarted, started_at=NOON - 30 * HOUR_MS))


def test_s5_sorted_arrival_of_hours_1_24_and_47_is_two_sessions() -> None:
    arrivals = [interaction(at=NOON + hour * HOUR_MS) for hour in (1, 24, 47)]

    given(open_account(), *arrivals).then_outcome("started", "covered", "started")


def test_s5_disordered_arrival_of_the_same_hours_never_costs_more() -> None:
    arrivals = [interaction(at=NOON + 47 * HOUR_MS, occurred_at=NOON + hour * HOUR_MS) for hour in (24, 1, 47)]

    given(open_account(), *arrivals).then_outcome("started", "covered", "covered")


@pytest.mark.parametrize("side", [-1, 1])
def test_s5_exactly_24_hours_on_either_side_is_a_session_of_its_own(side: int) -> None:
    story = given(open_account(), interaction(at=NOON)).when(
        interaction(occurred_at=NOON + side * DAY_MS, at=NOON + DAY_MS)
    )

    story.then_outcome("started").then(did(ev.SessionStarted, started_at=NOON + side * DAY_MS, used=2))


def test_s5_a_late_interaction_that_overlaps_both_neighbours_is_covered() -> None:
    story = given(open_account(), interaction(at=NOON), interaction(at=NOON + 30 * HOUR_MS))

    story.when(interaction(occurred_at=NOON + 15 * HOUR_MS)).then_outcome("covered").then()


def test_s6_the_same_interaction_again_changes_nothing() -> None:
    story = given(open_account(), interaction()).when(
        interaction(), interaction(), interaction(at=NOON + HOUR_MS, occurred_at=NOON)
    )

    story.then_outcome("covered", "covered", "covered").then()


def test_s6_a_refused_interaction_again_hands_nothing_off_again() -> None:
    story = given(open_account("free"), interaction()).when(interaction())

    story.then_outcome("refused").then()


def test_s7_five_minutes_ahead_of_the_broker_is_accepted() -> None:
    given(open_account()).when(interaction(occurred_at=NOON + 5 * MINUTE_MS)).then_outcome("started")


def test_s7_more_than_five_minutes_ahead_is_in_future_and_not_charged() -> None:
    story = given(open_account()).when(interaction(occurred_at=NOON + 5 * MINUTE_MS + 1))

    story.then_outcome("in_future").then().then_stands(used=0)


def test_s7_48_hours_behind_the_broker_is_accepted() -> None:
    given(open_account()).when(interaction(occurred_at=NOON - 48 * HOUR_MS)).then_outcome("started")


def test_s7_more_than_48_hours_behind_is_too_late_and_not_charged() -> None:
    story = given(open_account()).when(interaction(occurred_at=NOON - 48 * HOUR_MS - 1))

    story.then_outcome("too_late").then().then_stands(used=0)


def test_s7_limits_hold_for_covered_interactions_too() -> None:
    story = given(open_account(), interaction(at=NOON)).when(interaction(occurred_at=NOON + HOUR_MS, at=NOON))

    story.then_outcome("in_future")


def test_s7_both_limits_are_settings() -> None:
    rules = replace(SMALL, ahead_limit_ms=10, late_limit_ms=20)
    story = given(open_account(), rules=rules)

    story.when(
        interaction("a", occurred_at=NOON + 10),
        interaction("b", occurred_at=NOON + 11),
        interaction("c", occurred_at=NOON - 20),
        interaction("d", occurred_at=NOON - 21),
    )

    story.then_outcome("started", "in_future", "started", "too_late")


def test_s7_the_defaults_are_five_minutes_and_48_hours() -> None:
    assert (Rules().ahead_limit_ms, Rules().late_limit_ms) == (5 * 60_000, 48 * 3_600_000)


def test_s7_an_interaction_outside_the_limits_hands_nothing_off() -> None:
    story = given(open_account("free")).when(
        interaction(occurred_at=NOON - 49 * HOUR_MS), interaction(occurred_at=NOON + HOUR_MS)
    )

    story.then_outcome("too_late", "in_future").then()


def test_s7_the_latest_interaction_finds_the_start_although_the_brokers_clock_stepped_back() -> None:
    """A start is kept for 48 hours, its own 24 and the margin, to the millisecond, while others are added."""
    last = NOON + 3 * DAY_MS - 1
    story = given(open_account(), interaction(at=NOON), interaction(at=last + HOUR_MS)).when(
        interaction(at=last, occurred_at=NOON + DAY_MS - 1)
    )

    story.then_outcome("covered").then().then_stands(used=2)


def test_s7_forgotten_starts_are_those_no_acceptable_interaction_can_meet() -> None:
    at = NOON + memory_ms(SMALL)
    kept = with_start((NOON, NOON + 2 * DAY_MS), at, at, SMALL)

    assert (NOON + 2 * DAY_MS, at) == kept
    assert not is_covered((NOON,), at - SMALL.late_limit_ms)


def test_s8_a_session_id_is_a_function_of_account_end_user_kind_and_start() -> None:
    ids = [
        session_id("acme", "u-1", preview=False, started_at=NOON),
        session_id("acme", "u-1", preview=True, started_at=NOON),
        session_id("acme", "u-2", preview=False, started_at=NOON),
        session_id("acne", "u-1", preview=False, started_at=NOON),
        session_id("acme", "u-1", preview=False, started_at=NOON + 1),
        session_id("acmeu", "-1", preview=False, started_at=NOON),
        session_id("acme", "u-1live1", preview=False, started_at=NOON),
    ]

    assert len(ids) == len(set(ids))
    assert ids[:2] == ["83f30f3f26a9e3fbc9382499711c69f3", "3ef8d5b53c83cbc7d07c2da061820727"]  # in every release
    assert all(re.fullmatch("[0-9a-f]{32}", id_) for id_ in ids)


def test_s8_the_event_carries_that_id() -> None:
    story = given(open_account()).when(interaction("u-1", at=NOON + HOUR_MS, occurred_at=NOON))

    story.then(did(ev.SessionStarted, session_id=session_id("acme", "u-1", preview=False, started_at=NOON)))


def test_s8_the_event_tells_which_interaction_opened_the_session() -> None:
    story = given(open_account()).when(interaction("u-1", bot="b-9", conversation="c-9", widget="self_service"))

    story.then(
        did(
            ev.SessionStarted,
            end_user_id="u-1",
            bot_id="b-9",
            conversation_id="c-9",
            widget="self_service",
            preview=False,
        )
    )


def test_s8_ids_of_any_alphabet_are_taken() -> None:
    assert session_id("аккаунт", "用户", preview=False, started_at=NOON) != session_id(
        "аккаунт", "用戶", preview=False, started_at=NOON
    )


def test_s9_a_paid_session_stays_with_the_bot_after_exhaustion() -> None:
    story = given(open_account(), interaction("u-1"), sessions(4)).when(interaction("u-1", at=NOON + 23 * HOUR_MS))

    story.then_outcome("covered").then().then_stands(status="exhausted")


def test_s9_a_paid_session_stays_with_the_bot_across_a_cycle_boundary_and_is_counted_once() -> None:
    eve = APRIL - HOUR_MS
    story = given(open_account(), purchase(1), interaction("u-1", at=eve)).when(interaction("u-1", at=APRIL + HOUR_MS))

    story.then_outcome("covered").then(did(ev.CycleStarted, number=2, used=0)).then_stands(used=0)


def test_s9_after_the_24_hours_the_end_user_of_an_exhausted_account_goes_to_the_agents() -> None:
    story = given(open_account(), interaction("u-1"), sessions(4)).when(interaction("u-1", at=NOON + DAY_MS))

    story.then_outcome("handed_off")


def test_s9_all_chats_hands_paid_sessions_off_while_exhausted() -> None:
    story = given(open_account(), interaction("u-1"), sessions(4), rules=ALL_CHATS).when(interaction("u-1"))

    story.then_outcome("handed_off").then(did(ev.ChatHandedOff, end_user_id="u-1", reason="sessions_exhausted"))


def test_s9_all_chats_hands_each_conversation_off_once() -> None:
    story = given(open_account(), interaction("u-1"), sessions(4), interaction("u-1"), rules=ALL_CHATS)

    story.when(interaction("u-1", at=NOON + HOUR_MS)).then_outcome("covered").then()


def test_s9_all_chats_hands_new_end_users_off_as_well() -> None:
    story = given(open_account(), sessions(5), rules=ALL_CHATS).when(interaction("stranger"))

    story.then_outcome("handed_off").then(did(ev.ChatHandedOff, end_user_id="stranger"))


@pytest.mark.parametrize(("widget", "preview"), [("self_service", False), ("conversations", True)])
def test_s9_all_chats_hands_off_neither_self_service_nor_previews(widget: Widget, preview: bool) -> None:  # noqa: FBT001
    story = given(open_account(), interaction("u-1", preview=preview), sessions(4), rules=ALL_CHATS)

    story.when(interaction("u-1", widget=widget, preview=preview)).then_outcome("covered").then()


@pytest.mark.parametrize(("widget", "preview"), [("self_service", False), ("conversations", True)])
def test_s9_all_chats_leaves_the_sessions_of_the_previous_cycle_to_all_but_chats(widget: Widget, preview: bool) -> None:  # noqa: FBT001
    """A13 holds for them as ever; a chat goes to the agents, whatever the last cycle has left."""
    emptied = given(open_account("free"), purchase(1), reduce(1), tick(APRIL), rules=ALL_CHATS)
    chat = interaction("chat", at=APRIL + HOUR_MS, occurred_at=APRIL - HOUR_MS)
    other = interaction("other", at=APRIL + HOUR_MS, occurred_at=APRIL - HOUR_MS, widget=widget, preview=preview)

    emptied.when(chat, other).then_outcome("handed_off", "started")
    emptied.then(did(ev.ChatHandedOff), did(ev.SessionStarted, cycle_number=1))


def test_s9_all_chats_starts_a_chat_in_the_current_cycle_once_it_is_recharged() -> None:
    emptied = given(open_account("free"), purchase(1), reduce(1), tick(APRIL), rules=ALL_CHATS)
    chat = interaction("chat", at=APRIL + HOUR_MS, occurred_at=APRIL - HOUR_MS)

    emptied.when(set_auto_recharge(0, 1), chat).then_outcome("started").then_stands(used=1, status="active")


def test_s9_all_chats_changes_nothing_while_the_account_is_active() -> None:
    story = given(open_account(), interaction("u-1"), rules=ALL_CHATS).when(interaction("u-1"), interaction("u-2"))

    story.then_outcome("covered", "started")


def test_s9_all_chats_keeps_a_paid_session_once_sessions_are_available_again() -> None:
    story = given(open_account(), interaction("u-1"), sessions(4), purchase(1), rules=ALL_CHATS)

    story.when(interaction("u-1")).then_outcome("covered").then()


def test_s9_the_default_is_new_sessions() -> None:
    assert Rules().exhaustion == "new_sessions"
