"""Handoff and resumption: who goes to the agents, how often, and when the bots go on (T4, T5)."""

from __future__ import annotations

from dataclasses import replace

from botmeter.domain import events as ev
from botmeter.domain.announcements import HandedOffChat, ResumedBot
from botmeter.domain.prices import DAY_MS, HOUR_MS, MINUTE_MS

from .ledger import (
    ACCEPTED,
    APRIL,
    NOON,
    SMALL,
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
    tick,
)


def test_t4_while_exhausted_a_chat_that_needs_a_new_session_goes_to_the_agents_uncharged() -> None:
    story = given(open_account(), sessions(5)).when(interaction("late", conversation="c-9", bot="b-7"))

    story.then_outcome("handed_off").then(
        did(
            ev.ChatHandedOff,
            conversation_id="c-9",
            end_user_id="late",
            bot_id="b-7",
            reason="sessions_exhausted",
        )
    )
    story.then_stands(used=5, total=5)


def test_t4_the_routing_service_is_told() -> None:
    story = given(open_account(), sessions(5)).when(interaction("late", conversation="c-9", bot="b-7"))

    story.then_told(
        did(
            HandedOffChat,
            type="chat_handed_off",
            handoff_id=f"acme/{story.account.version}",
            account_id="acme",
            version=story.account.version,
            at=NOON,
            conversation_id="c-9",
            end_user_id="late",
            bot_id="b-7",
            reason="sessions_exhausted",
        )
    )


def test_t4_an_account_without_sessions_hands_off_for_that_reason() -> None:
    given(open_account("free")).when(interaction()).then(did(ev.ChatHandedOff, reason="no_sessions"))


def test_t4_one_handoff_per_conversation() -> None:
    story = given(open_account("free"), interaction("u-1", conversation="c-1"))

    story.when(
        interaction("u-1", conversation="c-1", at=NOON + HOUR_MS),
        interaction("u-2", conversation="c-1"),
        interaction("u-1", conversation="c-2"),
    )

    story.then_outcome("refused", "refused", "handed_off").then(did(ev.ChatHandedOff, conversation_id="c-2"))


def test_t4_not_again_one_millisecond_before_24_hours() -> None:
    given(open_account("free"), interaction()).when(interaction(at=NOON + DAY_MS - 1)).then_outcome("refused").then()


def test_t4_again_after_24_hours() -> None:
    story = given(open_account("free"), interaction()).when(interaction(at=NOON + DAY_MS))

    story.then_outcome("handed_off").then(did(ev.ChatHandedOff, at=NOON + DAY_MS))


def test_t4_the_24_hours_count_from_the_last_handoff_not_from_the_first() -> None:
    story = given(open_account("free"), interaction(), interaction(at=NOON + DAY_MS))

    story.when(interaction(at=NOON + 2 * DAY_MS - 1), interaction(at=NOON + 2 * DAY_MS))

    story.then_outcome("refused", "handed_off")


def test_t4_refused_interactions_in_between_do_not_postpone_the_next_handoff() -> None:
    story = given(open_account("free"), interaction(), interaction(at=NOON + 23 * HOUR_MS))

    story.when(interaction(at=NOON + DAY_MS)).then_outcome("handed_off")


def test_t4_a_late_interaction_of_a_chat_handed_off_is_not_handed_off_again() -> None:
    story = given(open_account("free"), interaction()).when(interaction(occurred_at=NOON - 30 * HOUR_MS))

    story.then_outcome("refused").then()


def test_t4_a_late_interaction_and_the_next_one_of_a_chat_are_one_handoff() -> None:
    late = interaction(occurred_at=NOON - 40 * HOUR_MS)
    story = given(open_account("free"), late).when(interaction(at=NOON + 1000))

    story.then_outcome("refused").then()


def test_s6_the_same_interaction_a_day_later_is_not_handed_off_again() -> None:
    story = given(open_account("free"), interaction()).when(interaction(at=NOON + DAY_MS, occurred_at=NOON))

    story.then_outcome("refused").then()


def test_t4_the_24_hours_are_the_brokers_whatever_the_end_users_clock_says() -> None:
    ahead, late = NOON + DAY_MS - 3 * MINUTE_MS, NOON + DAY_MS + HOUR_MS
    story = given(open_account("free"), interaction())

    story.when(interaction(at=ahead, occurred_at=NOON + DAY_MS), interaction(at=late, occurred_at=NOON + 23 * HOUR_MS))

    story.then_outcome("refused", "handed_off").then(did(ev.ChatHandedOff, at=late))


def test_s6_an_interaction_from_before_the_handoff_hands_nothing_off_again_however_late_it_is() -> None:
    story = given(open_account("free"), interaction(occurred_at=NOON + 5 * MINUTE_MS))

    again = interaction(at=NOON + 47 * HOUR_MS, occurred_at=NOON + 5 * MINUTE_MS)
    later = interaction(at=NOON + 47 * HOUR_MS, occurred_at=NOON + 5 * MINUTE_MS + 1)

    story.when(again, later).then_outcome("refused", "handed_off")


def test_t4_s9_a_chat_of_a_paid_session_is_handed_off_again_after_24_hours_where_all_chats_are() -> None:
    exhausted = given(open_account("free"), interaction("u-1", at=NOON), rules=replace(SMALL, exhaustion="all_chats"))
    paid = exhausted.when(credit(1, at=NOON + 1), interaction("u-1", at=NOON + 1)).then_stands(status="exhausted")

    paid.when(interaction("u-1", at=NOON + DAY_MS - 1)).then_outcome("covered").then()
    paid.when(interaction("u-1", at=NOON + DAY_MS)).then_outcome("handed_off").then(did(ev.ChatHandedOff))


def test_t4_the_self_service_widget_stops_without_handoff() -> None:
    story = given(open_account(), sessions(5)).when(interaction("late", widget="self_service"))

    story.then_outcome("refused").then().then_told()


def test_t4_a_preview_is_refused_without_handoff_and_leaves_the_live_chat_its_own() -> None:
    story = given(open_account("free")).when(interaction(preview=True), interaction())

    story.then_outcome("refused", "handed_off").then(did(ev.ChatHandedOff))


def test_t4_a_handed_off_interaction_opens_no_window() -> None:
    story = given(open_account("free"), interaction(), purchase(1)).when(interaction(at=NOON + 1))

    story.then_outcome("started")


def test_t4_a_chat_handed_off_again_after_a_second_exhaustion_only_after_24_hours() -> None:
    story = given(open_account("free"), interaction("u-1"), credit(1), interaction("other"))

    story.when(interaction("u-1", at=NOON + HOUR_MS)).then_outcome("refused").then()


def test_t5_a_purchase_resumes() -> None:
    story = given(open_account(), sessions(5)).when(purchase(1))

    story.then_told(did(ResumedBot, type="bot_resumed", reason="packs_purchased", at=NOON))
    story.then_stands(status="active")


def test_t5_a_new_cycle_resumes_at_the_boundary() -> None:
    story = given(open_account("free"), purchase(1), sessions(10)).when(tick(APRIL + 3))

    story.then(did(ev.CycleStarted), did(ev.SessionsAvailable, reason="cycle_started", used=0, total=10, remaining=10))
    story.then_told(did(ResumedBot, reason="cycle_started", at=APRIL))


def test_t5_a_credit_resumes() -> None:
    given(open_account("free")).when(credit(1)).then_told(did(ResumedBot, reason="sessions_credited"))


def test_t5_a_plan_grant_resumes() -> None:
    given(open_account("free")).when(change_plan("pro")).then_told(did(ResumedBot, reason="plan_changed"))


def test_t5_a_recharge_resumes_as_a_purchase() -> None:
    story = given(open_account("free"), set_auto_recharge(0, 1)).when(interaction())

    story.then_told(did(ResumedBot, reason="packs_purchased"))


def test_t5_the_event_tells_what_is_available() -> None:
    story = given(open_account("free"), purchase(1), sessions(10)).when(purchase(2))

    story.then(did(ev.PacksPurchased), did(ev.SessionsAvailable, used=10, total=30, remaining=20), ACCEPTED)


def test_t5_an_active_account_is_not_resumed() -> None:
    story = given(open_account("free"), purchase(1)).when(purchase(1), credit(1), change_plan("growth"), tick(APRIL))

    story.then_told()


def test_t5_what_brings_no_sessions_resumes_nothing() -> None:
    story = given(open_account("free"), purchase(1), sessions(10), reduce(1)).when(change_plan("growth"), tick(APRIL))

    story.then_told().then_stands(status="exhausted")


def test_t5_a_chat_handed_off_stays_with_the_agents() -> None:
    """Nothing recalls it: the resumption is told for the account, none for the chat."""
    story = given(open_account("free"), interaction()).when(purchase(1))

    story.then_told(did(ResumedBot))


def test_t5_a_closed_account_never_resumes() -> None:
    story = given(open_account("free"), purchase(1), sessions(10), close_account())

    story.when(tick(APRIL), purchase(1), credit(5), change_plan("pro")).then_told().then_stands(status="closed")
