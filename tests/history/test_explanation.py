"""Why a session was charged, and why a chat went to the agents."""

from __future__ import annotations

from botmeter.domain import events as ev
from botmeter.domain.prices import DAY_MS, HOUR_MS
from botmeter.history.explanation import Explanation, explanations
from domain import ledger as tale
from domain.ledger import APRIL, NOON, Ledger, Step, given


def after(*steps: Step) -> Ledger:
    """The ledger after these steps."""
    return given(*steps).ledger


def of_end_user(ledger: Ledger, end_user: str) -> list[Explanation]:
    return list(explanations(ledger.journal, lambda event: event.end_user_id == end_user))


def test_a_session_is_explained_by_the_pool_it_met_and_the_one_before_it() -> None:
    ledger = after(
        tale.open_account(),
        tale.interaction("u-1"),
        tale.interaction("u-1", at=NOON + HOUR_MS),
        tale.sessions(2, at=NOON + HOUR_MS),
        tale.interaction("u-1", at=NOON + DAY_MS),
    )
    first, second = of_end_user(ledger, "u-1")

    assert (first.previous, first.before.used, first.after.used, first.after.remaining) == (None, 0, 1, 4)
    assert second.previous == first.event
    assert (second.before.remaining, second.after.remaining) == (2, 1)
    assert [type(event) for event in second.led_to] == [ev.ThresholdReached]
    assert (second.pack_number, second.is_late) == (None, False)


def test_the_pack_is_counted_and_credits_come_last() -> None:
    ledger = after(tale.open_account(), tale.purchase(2), tale.credit(1), tale.sessions(20), tale.interaction("u-last"))
    numbers = [explained.pack_number for explained in explanations(ledger.journal, lambda _: True)]

    assert numbers == [1] * 10 + [2] * 10 + [None]


def test_a_late_session_is_explained_in_the_cycle_it_was_counted_in() -> None:
    late = tale.interaction("u-late", at=APRIL + 1, occurred_at=APRIL - 1)
    ledger = after(tale.open_account(), tale.purchase(1), tale.sessions(4), tale.tick(APRIL), late)
    [explained] = of_end_user(ledger, "u-late")

    assert (explained.is_late, explained.cycle.number, explained.cycle.ends_at) == (True, 1, APRIL)
    assert (explained.before.used, explained.after.used, explained.after.total) == (4, 5, 10)


def test_a_handoff_is_explained_by_the_empty_pool() -> None:
    ledger = after(tale.open_account(), tale.sessions(5), tale.interaction("u-9", conversation="c-9"))
    [explained] = of_end_user(ledger, "u-9")

    assert isinstance(explained.event, ev.ChatHandedOff)
    assert (explained.event.conversation_id, explained.before.remaining, explained.led_to) == ("c-9", 0, ())
