"""Statements add up, whatever happened to the account."""

from __future__ import annotations

from hypothesis import given as drawn
from hypothesis import settings

from botmeter.domain import events as ev
from botmeter.domain.prices import Money
from botmeter.history.statement import statements
from domain import ledger as tale
from domain.ledger import APRIL, Ledger, Step, given
from domain.moves import Move, live, lives


def after(*steps: Step) -> Ledger:
    """The ledger after these steps."""
    return given(*steps).ledger


@settings(max_examples=200)
@drawn(lives())
def test_every_cycle_opens_with_what_the_one_before_left_and_the_last_leaves_what_remains(moves: list[Move]) -> None:
    ledger = live(moves, Ledger())
    found = statements(ledger.journal)
    started = [event for event in ledger.journal if isinstance(event, ev.SessionStarted)]

    assert [statement.number for statement in found] == list(range(1, len(found) + 1))
    assert [(one.ends_at, one.remaining) for one in found[:-1]] == [(two.starts_at, two.opening) for two in found[1:]]
    assert found[-1].remaining == ledger.account.allowance.remaining
    assert sum(statement.sessions for statement in found) == len(started)
    assert min(statement.expired for statement in found) >= 0


def test_a_cycle_in_sessions_and_money() -> None:
    ledger = after(
        tale.open_account(),
        tale.sessions(2),
        tale.purchase(2),
        tale.credit(3),
        tale.sessions(4),
        tale.reduce(1),
        tale.tick(APRIL),
    )
    march, april = statements(ledger.journal)

    assert (march.granted, march.forfeited, march.purchased, march.credited) == (5, 3, 20, 3)
    assert (march.sessions, march.expired, march.remaining) == (6, 19, 0)
    assert march.total_charge == Money(200, "USD")
    assert (april.opening, april.renewed, april.remaining) == (0, 10, 10)
    assert [(line.packs, line.charge.amount_minor, line.trigger) for line in april.charges] == [(1, 100, "renewal")]


def test_a_session_that_comes_late_is_in_the_statement_of_its_cycle_and_no_longer_expired() -> None:
    before = APRIL - 1
    late = tale.interaction("u-late", at=APRIL + 1, occurred_at=before)
    ledger = after(tale.open_account(), tale.purchase(1), tale.sessions(4), tale.tick(APRIL), late)
    march, april = statements(ledger.journal)

    assert (march.sessions, march.late_sessions, march.expired, march.remaining) == (5, 1, 5, 0)
    assert (april.sessions, april.remaining) == (0, 10)


def test_complimentary_sessions_pass_the_boundary() -> None:
    march, april = statements(after(tale.open_account(), tale.sessions(2), tale.tick(APRIL)).journal)

    assert (march.granted, march.sessions, march.expired, march.remaining) == (5, 2, 0, 3)
    assert (april.opening, april.total_charge, april.remaining) == (3, None, 3)
