"""Events, states and what is announced, with every field they have: what other tests leave unsaid (J1, J3)."""

from __future__ import annotations

from typing import Any, Final

from botmeter.domain import events as ev
from botmeter.domain.account import Account, Allowance, PastCycle, Terms
from botmeter.domain.announcements import (
    Accepted,
    Alert,
    AutoRecharge,
    HandedOffChat,
    Rejected,
    ResumedBot,
    SuspendedBot,
    answer,
)
from botmeter.domain.commands import CommandResult
from botmeter.domain.cycles import Cycle
from botmeter.domain.events import CommandCause, Event, InteractionCause, TimerCause
from botmeter.domain.prices import DAY_MS, HOUR_MS, Money
from botmeter.domain.sessions import session_id

from .ledger import (
    APRIL,
    MARCH,
    MAY,
    NOON,
    Story,
    cancel_reduction,
    change_billing_cycle,
    change_plan,
    close_account,
    credit,
    given,
    interaction,
    invalid,
    open_account,
    purchase,
    reduce,
    sessions,
    set_auto_recharge,
    set_contacts,
    set_thresholds,
    tick,
    utc,
)

DOLLAR: Final = Money(100, "USD")


def asked(number: int, version: int, *, at: int = NOON, before: int = 0) -> dict[str, Any]:
    """What an event has in common with others, where the ledger's command of this number caused it."""
    cause = CommandCause("billing.commands", 0, number, f"k-{number}", before)
    return {"account_id": "acme", "version": version, "at": at, "cause": cause}


def heard(number: int, version: int, *, at: int = NOON) -> dict[str, Any]:
    """The same for an interaction."""
    cause = InteractionCause("chat.interactions", 0, number, f"e-{number}")
    return {"account_id": "acme", "version": version, "at": at, "cause": cause}


def timed(version: int, *, at: int, before: int = 0) -> dict[str, Any]:
    """The same for the timer."""
    return {"account_id": "acme", "version": version, "at": at, "cause": TimerCause(before)}


def accepted(number: int, version: int, command: str, **more: Any) -> Event:
    """The end of the events of an accepted command."""
    charged = more.pop("charged", None)
    return ev.CommandHandled(
        **asked(number, version, **more), command_id=f"k-{number}", command=command, issued_by="tester",
        result="accepted", reason=None, message=None, charged=charged,
    )  # fmt: skip


def told(story: Story) -> list[object]:
    """All that was announced, from the account's opening on."""
    return [*story.ledger.announcements]


# --- The account -----------------------------------------------------------------------------------------------------


def test_a1_a4_an_opening() -> None:
    story = given(open_account("pro", billing_cycle="annual", time_zone="Asia/Tokyo", contacts=("a@x.example",)))

    ends_at = utc("2027-03-01 00:00")
    assert story.events == [
        ev.AccountOpened(
            **asked(0, 1), plan="pro", billing_cycle="annual", anchor=MARCH, time_zone="Asia/Tokyo",
            contacts=("a@x.example",), thresholds=(80,), starts_at=MARCH, ends_at=ends_at,
        ),
        ev.ComplimentaryGranted(**asked(0, 2), sessions=5),
        accepted(0, 3, "open_account"),
    ]  # fmt: skip
    assert story.account == Account(
        "acme", 3, "active",
        Terms(
            "pro", "Asia/Tokyo", "annual", "annual", MARCH, ("a@x.example",), (80,), 0, 0, complimentary_granted=True
        ),
        Cycle(1, MARCH, ends_at), Allowance("complimentary", 5, 0, 0, 0, ()), None,
        {"k-0": CommandResult("k-0", NOON, 3, None, None)},
    )  # fmt: skip


def test_a1_t3_an_opening_without_sessions() -> None:
    story = given(open_account("free"))

    assert story.events[1:] == [
        ev.SessionsExhausted(
            **asked(0, 2), reason="no_sessions", used=0, total=0, remaining=0, pool="none", cycle_number=1,
            cycle_ends_at=APRIL,
        ),
        accepted(0, 3, "open_account"),
    ]  # fmt: skip
    assert told(story) == [
        SuspendedBot("bot_suspended", "acme", 2, NOON, "no_sessions", "transfer_to_agents", "stopped", "acme/2")
    ]
    terms = Terms("free", "UTC", "monthly", "monthly", MARCH, (), (80,), 0, 0, complimentary_granted=False)
    assert (story.account.status, story.account.terms) == ("exhausted", terms)
    assert story.account.allowance == Allowance("none", 0, 0, 0, 0, ())


def test_a5_t5_a_purchase_that_ends_an_exhaustion() -> None:
    story = given(open_account("free")).when(purchase(2))

    assert story.events == [
        ev.PacksPurchased(
            **asked(1, 4), packs=2, sessions=20, charge=Money(200, "USD"), total=20, used=0, trigger="command"
        ),
        ev.SessionsAvailable(**asked(1, 5), reason="packs_purchased", used=0, total=20, remaining=20),
        accepted(1, 6, "purchase_packs", charged=Money(200, "USD")),
    ]
    assert told(story)[1:] == [ResumedBot("bot_resumed", "acme", 5, NOON, "packs_purchased", "acme/5")]
    assert story.account.allowance == Allowance("purchased", 20, 0, 2, 2, ())


def test_a2_packs_that_replace_complimentary_sessions() -> None:
    story = given(open_account(), sessions(2)).when(purchase(1))

    assert story.events == [
        ev.ComplimentaryForfeited(**asked(1, 6, before=2), sessions=3),
        ev.PacksPurchased(
            **asked(1, 7, before=2), packs=1, sessions=10, charge=DOLLAR, total=10, used=0, trigger="command"
        ),
        accepted(1, 8, "purchase_packs", before=2, charged=DOLLAR),
    ]


def test_a11_a_recharge() -> None:
    story = given(open_account("free"), purchase(1), set_auto_recharge(10, 3)).when(interaction("u-1"))

    assert story.events[1:] == [
        ev.PacksPurchased(
            **heard(0, 10), packs=3, sessions=30, charge=Money(300, "USD"), total=40, used=1, trigger="auto_recharge"
        )
    ]
    assert story.account.allowance == Allowance("purchased", 40, 1, 4, 4, ())


def test_a11_t5_a_recharge_where_a_session_would_be_refused() -> None:
    story = given(open_account("free"), set_auto_recharge(0, 1)).when(interaction("u-1"))

    assert story.events[:2] == [
        ev.PacksPurchased(
            **heard(0, 6), packs=1, sessions=10, charge=DOLLAR, total=10, used=0, trigger="auto_recharge"
        ),
        ev.SessionsAvailable(**heard(0, 7), reason="packs_purchased", used=0, total=10, remaining=10),
    ]


def test_a10_credits() -> None:
    story = given(open_account("free")).when(credit(3), credit(4))

    assert story.events == [
        ev.SessionsCredited(**asked(1, 4), sessions=3, reason="outage", pool="purchased", total=3, used=0),
        ev.SessionsAvailable(**asked(1, 5), reason="sessions_credited", used=0, total=3, remaining=3),
        accepted(1, 6, "credit_sessions"),
        ev.SessionsCredited(**asked(2, 7), sessions=4, reason="outage", pool="purchased", total=7, used=0),
        accepted(2, 8, "credit_sessions"),
    ]


def test_a7_reductions() -> None:
    story = given(open_account("free"), purchase(3)).when(reduce(2), cancel_reduction())

    assert story.events == [
        ev.PackReductionScheduled(**asked(2, 7), packs=2, packs_next_cycle=1),
        accepted(2, 8, "reduce_packs"),
        ev.PackReductionCancelled(**asked(3, 9), packs_next_cycle=3),
        accepted(3, 10, "cancel_reduction"),
    ]


def test_a2_plans() -> None:
    story = given(open_account()).when(change_plan("free"), change_plan("pro"))

    assert story.events == [
        ev.PlanChanged(**asked(1, 4), plan="free"),
        ev.ComplimentaryForfeited(**asked(1, 5), sessions=5),
        ev.SessionsExhausted(
            **asked(1, 6), reason="no_sessions", used=0, total=0, remaining=0, pool="none", cycle_number=1,
            cycle_ends_at=APRIL,
        ),
        accepted(1, 7, "change_plan"),
        ev.PlanChanged(**asked(2, 8), plan="pro"),
        accepted(2, 9, "change_plan"),
    ]  # fmt: skip


def test_a2_what_is_left_of_a_forfeited_pool() -> None:
    story = given(open_account(), sessions(4), change_plan("free"))

    assert story.account.allowance == Allowance("none", 0, 0, 0, 0, ())


def test_a2_t5_a_grant_that_ends_an_exhaustion() -> None:
    story = given(open_account("free")).when(change_plan("growth"))

    assert story.events == [
        ev.PlanChanged(**asked(1, 4), plan="growth"),
        ev.ComplimentaryGranted(**asked(1, 5), sessions=5),
        ev.SessionsAvailable(**asked(1, 6), reason="plan_changed", used=0, total=5, remaining=5),
        accepted(1, 7, "change_plan"),
    ]


def test_c2_settings() -> None:
    story = given(open_account(), sessions(2)).when(
        set_thresholds(20, 40, 60), set_auto_recharge(7, 2), set_contacts("b@x.example"), change_billing_cycle("annual")
    )

    assert story.events == [
        ev.ThresholdsSet(**asked(1, 6, before=2), percents=(20, 40, 60), reached=(20, 40)),
        accepted(1, 7, "set_thresholds", before=2),
        ev.AutoRechargeSet(**asked(2, 8, before=2), below=7, packs=2),
        accepted(2, 9, "set_auto_recharge", before=2),
        ev.ContactsSet(**asked(3, 10, before=2), contacts=("b@x.example",)),
        accepted(3, 11, "set_contacts", before=2),
        ev.BillingCycleChangeScheduled(**asked(4, 12, before=2), billing_cycle="annual", effective_at=APRIL),
        accepted(4, 13, "change_billing_cycle", before=2),
    ]


def test_c4_a_closing_of_an_active_account_and_of_an_exhausted_one() -> None:
    active, exhausted = given(open_account()).when(close_account()), given(open_account("free")).when(close_account())

    assert active.events == [ev.AccountClosed(**asked(1, 4), was_exhausted=False), accepted(1, 5, "close_account")]
    assert exhausted.events[0] == ev.AccountClosed(**asked(1, 4), was_exhausted=True)
    assert told(active) == [
        SuspendedBot("bot_suspended", "acme", 4, NOON, "account_closed", "transfer_to_agents", "stopped", "acme/4")
    ]


# --- Cycles ----------------------------------------------------------------------------------------------------------


def test_a6_a9_a_cycle_with_packs_and_another_length() -> None:
    story = given(open_account("free"), purchase(3), reduce(1), change_billing_cycle("annual"), sessions(4)).when(
        tick(APRIL)
    )

    ends_at = utc("2027-04-01 00:00")
    assert story.events == [
        ev.CycleStarted(
            **timed(15, at=APRIL, before=4), number=2, starts_at=APRIL, ends_at=ends_at, billing_cycle="annual",
            anchor=APRIL, pool="purchased", packs=2, total=20, used=0, expired=26, charge=Money(200, "USD"),
        )
    ]  # fmt: skip
    account = story.account
    assert (account.cycle, account.past_cycle) == (Cycle(2, APRIL, ends_at), PastCycle(1, MARCH, "purchased", 30, 4))
    assert account.allowance == Allowance("purchased", 20, 0, 2, 2, ())
    assert (account.terms.anchor, account.terms.billing_cycle, account.terms.next_billing_cycle) == (
        APRIL, "annual", "annual",
    )  # fmt: skip


def test_a6_t3_a_cycle_without_packs() -> None:
    story = given(open_account("free"), credit(3)).when(tick(APRIL))

    assert story.events == [
        ev.CycleStarted(
            **timed(7, at=APRIL), number=2, starts_at=APRIL, ends_at=MAY, billing_cycle="monthly", anchor=MARCH,
            pool="none", packs=0, total=0, used=0, expired=3, charge=None,
        ),
        ev.SessionsExhausted(
            **timed(8, at=APRIL), reason="no_sessions", used=0, total=0, remaining=0, pool="none", cycle_number=2,
            cycle_ends_at=MAY,
        ),
    ]  # fmt: skip


def test_a2_a_cycle_that_leaves_complimentary_sessions_alone() -> None:
    story = given(open_account(), sessions(4)).when(tick(APRIL))

    assert story.events == [
        ev.CycleStarted(
            **timed(9, at=APRIL, before=4), number=2, starts_at=APRIL, ends_at=MAY, billing_cycle="monthly",
            anchor=MARCH, pool="complimentary", packs=0, total=5, used=4, expired=0, charge=None,
        )
    ]  # fmt: skip
    assert story.account.past_cycle == PastCycle(1, MARCH, "complimentary", 5, 4)
    assert story.account.allowance == Allowance("complimentary", 5, 4, 0, 0, (80,))


# --- Sessions and what they lead to ----------------------------------------------------------------------------------


def test_s1_t1_t3_the_sessions_that_reach_a_threshold_and_the_end() -> None:
    story = given(
        open_account("pro", contacts=("a@x.example",), time_zone="America/New_York", anchor=MARCH), sessions(3)
    ).when(interaction("u-4", occurred_at=NOON - HOUR_MS), interaction("u-5", preview=True))

    def started(number: int, version: int, user: str, at: int, *, preview: bool) -> Event:
        return ev.SessionStarted(
            **heard(number, version), session_id=session_id("acme", user, preview, at), end_user_id=user,
            preview=preview, started_at=at, ends_at=at + DAY_MS, cycle_number=1, pool="complimentary", used=number + 1,
            bot_id="b-1", conversation_id=f"c-{user}", widget="conversations",
        )  # fmt: skip

    ends_at = story.account.cycle.ends_at
    stands: dict[str, Any] = {"total": 5, "pool": "complimentary", "cycle_number": 1, "cycle_ends_at": ends_at}
    assert story.events == [
        started(3, 7, "u-4", NOON - HOUR_MS, preview=False),
        ev.ThresholdReached(**heard(3, 8), percent=80, used=4, remaining=1, **stands),
        started(4, 9, "u-5", NOON, preview=True),
        ev.SessionsExhausted(**heard(4, 10), reason="sessions_exhausted", used=5, remaining=0, **stands),
    ]
    elapsed = (NOON - story.account.cycle.starts_at) * 1000 // (ends_at - story.account.cycle.starts_at) / 10
    terms: dict[str, Any] = {
        "contacts": ("a@x.example",), "plan": "pro", "packs": 0, "time_zone": "America/New_York",
        "cycle_starts_at": story.account.cycle.starts_at, "cycle_elapsed_percent": elapsed, "auto_recharge": None,
    }  # fmt: skip
    assert told(story) == [
        Alert("threshold_reached", "acme/8", "acme", 8, NOON, percent=80, used=4, remaining=1, **stands, **terms),
        Alert("sessions_exhausted", "acme/10", "acme", 10, NOON, percent=100, used=5, remaining=0, **stands, **terms),
        SuspendedBot(
            "bot_suspended", "acme", 10, NOON, "sessions_exhausted", "transfer_to_agents", "stopped", "acme/10"
        ),
    ]


def test_a11_an_alert_beside_auto_recharge() -> None:
    story = given(open_account("free"), purchase(1), set_auto_recharge(2, 3), sessions(8))

    alert = next(one for one in told(story) if isinstance(one, Alert))
    assert (alert.auto_recharge, alert.packs) == (AutoRecharge(2, 3), 1)


def test_t4_a_chat_handed_off() -> None:
    at = NOON + HOUR_MS
    story = given(open_account("free")).when(interaction("u-1", at=at, occurred_at=NOON, conversation="c-9", bot="b-7"))

    chat: dict[str, Any] = {"conversation_id": "c-9", "end_user_id": "u-1", "bot_id": "b-7", "reason": "no_sessions"}
    more: dict[str, Any] = {"widget": "conversations", "occurred_at": NOON}
    assert story.events == [ev.ChatHandedOff(**heard(0, 4, at=at), handoff_id="acme/4", **chat, **more)]
    assert told(story)[1:] == [HandedOffChat("chat_handed_off", "acme/4", "acme", 4, at, **chat, **more)]


def test_a13_a_late_session_of_the_cycle_before() -> None:
    story = given(open_account("free"), purchase(2), reduce(1), sessions(3), tick(APRIL)).when(
        interaction("late", at=APRIL + HOUR_MS, occurred_at=APRIL - 1)
    )

    [start] = story.events
    assert isinstance(start, ev.SessionStarted)
    assert (start.cycle_number, start.used, start.pool, start.at) == (1, 4, "purchased", APRIL + HOUR_MS)
    assert story.account.past_cycle == PastCycle(1, MARCH, "purchased", 20, 4)
    assert story.account.allowance == Allowance("purchased", 10, 0, 1, 1, ())


# --- Answers ---------------------------------------------------------------------------------------------------------


def test_c1_c2_answers() -> None:
    story = given(open_account(), purchase(1), reduce(2), invalid(message="packs must be at least 1"))
    results = [answer("acme", result) for result in story.ledger.results]

    assert results == [
        Accepted("k-0", "acme", 3, NOON, None),
        Accepted("k-1", "acme", 6, NOON, DOLLAR),
        Rejected("k-2", "acme", NOON, "reduces_below_zero", "the next cycle has 1 packs, 2 cannot be taken away"),
        Rejected("k-3", "acme", NOON, "invalid", "packs must be at least 1"),
    ]
    assert story.events[-2:] == [
        ev.CommandHandled(
            **asked(2, 7), command_id="k-2", command="reduce_packs", issued_by="tester", result="rejected",
            reason="reduces_below_zero", message="the next cycle has 1 packs, 2 cannot be taken away", charged=None,
        ),
        ev.CommandHandled(
            **asked(3, 8), command_id="k-3", command="purchase_packs", issued_by="tester", result="rejected",
            reason="invalid", message="packs must be at least 1", charged=None,
        ),
    ]  # fmt: skip
