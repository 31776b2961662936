"""What-if: a cycle replayed under its own terms gives what was; under others, what the domain would have decided."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botmeter.domain.account import Account, Allowance, Terms
from botmeter.domain.cycles import Cycle
from botmeter.domain.prices import DAY_MS, HOUR_MS, PriceBook, Rules
from botmeter.domain.sessions import Interaction
from botmeter.readside.queries import Queries
from botmeter.readside.results import AutoRecharge, CycleSpan, Scenario
from botmeter.readside.what_if import PastCycle, PastInteraction, PastOutcome, what_if
from metering.partition_inputs import lengths, openings, seeds

from .journals import NOW, Journal, journal_of, project_all
from .test_projection_properties import copied, template

__all__ = ["template"]

START = 1_790_000_000_000
PRICES = PriceBook(pack_sessions=10, pack_price_minor=100, complimentary_sessions=5)
CYCLE = CycleSpan(3, "monthly", START, START + 30 * DAY_MS)
RULES = Rules(prices=PRICES)
#: Of the setting all_chats nothing can be replayed: who was handed off with a paid session leaves the same trace.
own_journals = st.builds(lambda seed, opened, length: journal_of(seed, opened, length, RULES), seeds, openings, lengths)


@given(own_journals)
@settings(max_examples=60)
def test_a_cycle_under_its_own_terms_is_as_it_was(template: Path, journal: Journal) -> None:
    events, _ = journal
    with TemporaryDirectory() as directory:
        engine = copied(template, directory)
        project_all(engine, events)
        queries = Queries(engine)
        for row in queries.accounts(now=NOW).accounts:
            found = queries.what_if(row.account_id, Scenario(), cycles=100, prices=PRICES)
            assert found is not None
            for cycle in found.cycles:
                statement = queries.statement(row.account_id, cycle.cycle.number, START)
                assert statement is not None
                if statement.late_sessions:  # they were taken from what had expired, which a cycle alone cannot tell
                    continue
                assert (cycle.served, cycle.to_agents) == (cycle.was_served, cycle.was_to_agents)
                assert cycle.ran_out_at == cycle.was_ran_out_at
                assert cycle.charge == cycle.was_charge
        engine.dispose()


def account(*, packs: int, used: int = 0, thresholds: tuple[int, ...] = (80,)) -> Account:
    terms = Terms("growth", "UTC", "monthly", "monthly", START, (), thresholds, 0, 0, complimentary_granted=True)
    allowance = Allowance("purchased", packs * 10, used, packs, packs, ())
    return Account("acme", 7, "active", terms, Cycle(3, START, START + 30 * DAY_MS), allowance, None, {})


def asked(number: int, at: int, *, user: str = "", preview: bool = False) -> PastInteraction:
    who = user or f"u-{number}"
    return PastInteraction(at, Interaction(who, "b-1", f"c-{number}", "conversations", "end_user", preview, at))


def cycle_of(*inputs: PastInteraction, packs: int = 1) -> PastCycle:
    return PastCycle(CYCLE, account(packs=packs), inputs, PastOutcome(len(inputs), 0, None, packs * 100))


def hourly(count: int) -> list[PastInteraction]:
    return [asked(number, START + number * HOUR_MS) for number in range(count)]


def test_fewer_packs_run_out_where_they_would_have_and_the_rest_goes_to_agents() -> None:
    [cycle] = what_if(Scenario(packs=1), [cycle_of(*hourly(15), packs=2)], PRICES, now=CYCLE.ends_at).cycles

    assert (cycle.demand, cycle.served, cycle.to_agents) == (15, 10, 5)
    assert cycle.ran_out_at == START + 9 * HOUR_MS
    assert cycle.thresholds_reached == ((80, START + 7 * HOUR_MS),)
    assert (cycle.charge.amount_minor, cycle.was_charge.amount_minor) == (100, 200)


def test_auto_recharge_serves_all_and_costs_what_it_bought() -> None:
    scenario = Scenario(packs=1, auto_recharge=AutoRecharge(below=3, packs=1))
    [cycle] = what_if(scenario, [cycle_of(*hourly(15))], PRICES, now=CYCLE.ends_at).cycles

    assert (cycle.served, cycle.to_agents, cycle.ran_out_at) == (15, 0, None)
    assert (cycle.packs_bought, cycle.charge.amount_minor) == (2, 200)


def test_other_thresholds_alert_elsewhere() -> None:
    [cycle] = what_if(Scenario(thresholds=(50, 90)), [cycle_of(*hourly(9))], PRICES, now=CYCLE.ends_at).cycles

    assert cycle.thresholds_reached == ((50, START + 4 * HOUR_MS), (90, START + 8 * HOUR_MS))


def test_an_end_user_who_was_refused_asks_again_and_needs_one_session_in_24_hours() -> None:
    again = [asked(number, START + number * HOUR_MS, user="u-1") for number in range(5)]
    [cycle] = what_if(Scenario(packs=0), [cycle_of(*again)], PRICES, now=CYCLE.ends_at).cycles

    assert (cycle.demand, cycle.served, cycle.to_agents) == (1, 0, 5)
    assert cycle.ran_out_at == START


@pytest.mark.parametrize(("served", "packs"), [(0, 0), (1, 1), (10, 1), (11, 2), (25, 3)])
def test_the_packs_recommended_are_the_fewest_that_serve_all(served: int, packs: int) -> None:
    found = what_if(Scenario(), [cycle_of(*hourly(served), packs=9)], PRICES, now=CYCLE.ends_at)

    assert found.recommended_packs == packs
    assert what_if(Scenario(packs=packs), [cycle_of(*hourly(served))], PRICES, CYCLE.ends_at).to_agents == 0


def test_a_cycle_that_runs_is_taken_at_its_pace() -> None:
    found = what_if(Scenario(), [cycle_of(*hourly(24), packs=9)], PRICES, now=START + 6 * DAY_MS)

    assert (found.peak_demand, found.recommended_packs) == (120, 12)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3 * 24)), max_size=120), st.integers(0, 9))
def test_counting_in_bulk_changes_nothing(drawn: list[tuple[int, int]], packs: int) -> None:
    """The same cycle with a threshold at every percentage has nothing that could be counted in bulk."""
    moments = sorted(drawn, key=lambda each: each[1])
    inputs = [asked(n, START + hours * HOUR_MS, user=f"u-{user}") for n, (user, hours) in enumerate(moments)]
    plain = Scenario(packs=packs, thresholds=())
    every = Scenario(packs=packs, thresholds=tuple(range(1, 100)))
    [bulk] = what_if(plain, [cycle_of(*inputs)], PRICES, CYCLE.ends_at).cycles
    [single] = what_if(every, [cycle_of(*inputs)], PRICES, CYCLE.ends_at).cycles

    assert (bulk.demand, bulk.served, bulk.to_agents, bulk.ran_out_at) == (
        single.demand, single.served, single.to_agents, single.ran_out_at,
    )  # fmt: skip
