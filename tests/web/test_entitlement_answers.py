"""An entitlement is what the rules would decide now, whatever came before: checked against the pure domain."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from botmeter.domain import commands as cmd
from botmeter.domain.events import InteractionCause
from botmeter.domain.metering import Memory, decide_interaction
from botmeter.domain.prices import DAY_MS, HOUR_MS, Rules
from botmeter.domain.sessions import Interaction, Starts
from botmeter.web.entitlement.answer import Answer, Question, answer
from botmeter.web.entitlement.view import PartitionView
from domain.ledger import NOON, SMALL, Ledger
from domain.moves import Ask, Move, Say, later_commands, openings, says, waits

CAUSE = InteractionCause("chat.interactions", 0, 0, "e")

moves = st.lists(st.one_of(says, says, says, st.builds(Ask, wait=waits, command=later_commands)), max_size=40)
exhaustions = st.sampled_from([SMALL, replace(SMALL, exhaustion="all_chats")])
questions = st.builds(
    Question,
    account_id=st.just("acme"),
    end_user_id=st.sampled_from([None, *(f"u-{n}" for n in range(8))]),
    preview=st.booleans(),
    widget=st.sampled_from(["conversations", "self_service"]),
)


def view_of(ledger: Ledger) -> PartitionView:
    """The view after all of the ledger's journal, which it tidies as time goes by."""
    view = PartitionView(0)
    for offset, event in enumerate(ledger.journal):
        view.apply(event, offset, "chat.interactions")
        view.expire_windows(event.at)
    return view


def decided(ledger: Ledger, question: Question, starts: Starts, at: int) -> str:
    """What the rules do with such an interaction, knowing all there is to know."""
    heard = Interaction(question.end_user_id or "nobody", "b-1", "", question.widget, "end_user", question.preview, at)
    _, outcome = decide_interaction(ledger.state, heard, Memory(starts), at, CAUSE, ledger.rules)
    return "bot" if outcome in {"covered", "started"} else "agents"


@given(
    opening=openings, moves=moves, rules=exhaustions, question=questions, later=st.sampled_from([0, 1, HOUR_MS, DAY_MS])
)
def test_the_answer_is_what_the_rules_decide(
    opening: cmd.OpenAccount, moves: list[Move], rules: Rules, question: Question, later: int
) -> None:
    ledger = Ledger(rules=rules)
    Ask(0, opening).take(ledger)
    for move in moves:
        move.take(ledger)
    now = ledger.now + later

    found = answer(view_of(ledger), question, now, ledger.rules)

    assert found is not None
    starts = ledger.starts.get((question.end_user_id or "", question.preview), ())
    assert found.answer == decided(ledger, question, starts, now)
    assert (found.session is not None) == (found.reason == "session_open")


def asked(ledger: Ledger, end_user: str | None = None, *, preview: bool = False) -> Answer:
    found = answer(view_of(ledger), Question("acme", end_user, preview), ledger.now, SMALL)
    assert found is not None
    return found


def opened(plan: str = "growth") -> Ledger:
    ledger = Ledger()
    Ask(0, cmd.OpenAccount("open", "tester", plan, "monthly", None, "UTC", ())).take(ledger)  # type: ignore[arg-type]
    return ledger


def test_an_account_nobody_knows_has_no_answer() -> None:
    assert answer(PartitionView(0), Question("acme"), NOON, SMALL) is None


def test_a_session_that_is_paid_for_stays_with_the_bot_to_its_end() -> None:  # S9
    ledger = opened()
    for number in range(5):
        Say(0, 0, f"u-{number}", "c-1").take(ledger)

    known, unknown = asked(ledger, "u-0"), asked(ledger, "u-9")

    assert (known.answer, known.reason) == ("bot", "session_open")
    assert known.session is not None
    assert (known.session.started_at, known.session.ends_at) == (NOON, NOON + DAY_MS)
    assert (unknown.answer, unknown.reason, unknown.remaining) == ("agents", "sessions_exhausted", 0)
    assert asked(ledger, "u-0", preview=True).answer == "agents"  # S4: previews have sessions of their own


def test_the_session_ends_after_24_hours_sharp() -> None:  # S1
    ledger = opened()
    for number in range(5):
        Say(0, 0, f"u-{number}", "c-1").take(ledger)
    view = view_of(ledger)

    last, after = (answer(view, Question("acme", "u-0"), NOON + DAY_MS + ms, SMALL) for ms in (-1, 0))

    assert last is not None
    assert after is not None
    assert (last.answer, after.answer) == ("bot", "agents")


def test_packs_that_would_be_bought_count() -> None:  # A11
    ledger = opened()
    Ask(0, cmd.SetAutoRecharge("recharge", "tester", 0, 1)).take(ledger)
    for number in range(5):
        Say(0, 0, f"u-{number}", "c-1").take(ledger)

    assert asked(ledger, "u-9").reason == "auto_recharge"


def test_a_cycle_that_has_begun_counts_before_anybody_wrote_it_down() -> None:  # A12
    ledger = opened("free")
    Ask(0, cmd.PurchasePacks("buy", "tester", 1)).take(ledger)
    for number in range(10):
        Say(0, 0, f"u-{number}", "c-1").take(ledger)
    assert asked(ledger).answer == "agents"
    assert ledger.state is not None

    after = answer(view_of(ledger), Question("acme"), ledger.state.cycle.ends_at, SMALL)

    assert after == Answer("bot", "sessions_available", None, 10)


def test_a_closed_account_has_no_bot() -> None:  # C4
    ledger = opened()
    Ask(0, cmd.CloseAccount("close", "tester")).take(ledger)

    assert asked(ledger).reason == "account_closed"
