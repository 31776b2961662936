"""The witness: finds nothing in what a worker wrote, wherever it starts and however often it goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botmeter.contracts.encoding import decode_event
from botmeter.domain.account import Account, evolve
from botmeter.domain.prices import DAY_MS, HOUR_MS, PriceBook, Rules
from botmeter.simulation.accounts import population
from botmeter.simulation.traffic import Mix, Traffic
from botmeter.verification import balances
from botmeter.verification.findings import Findings
from botmeter.verification.witness import Ends, Witness

from .written import NOW_MS, PARTITIONS, RULES, SMALL, TOPICS, Place, Written, some_traffic

NAMES = [topic.name for topic in TOPICS.all()]
BUSY = Mix(bad_share=0.03, command_share=0.05, open_chats=20)


def verify(written: Written, told: Callable[[int], None] = lambda _: None) -> Findings:
    """From the beginning to the end."""
    findings = Findings()
    for number in range(PARTITIONS):
        witness = Witness(number, PARTITIONS, TOPICS, written.rules, findings, written.changes[number])
        go_on(witness, written, written.ends, told)
    return findings


def go_on(
    witness: Witness, written: Written, lower: dict[Place, int], told: Callable[[int], None] = lambda _: None
) -> None:
    """A round up to these ends; the records of the outputs go on."""
    number, start = witness.partition, witness.resume_at
    streams = {name: written.batches(name, number, start.get(name, 0)) for name in NAMES}
    ends = Ends(
        lower[TOPICS.interactions.name, number],
        lower[TOPICS.commands.name, number],
        {name: lower[name, number] for name in NAMES},
    )
    witness.verify(streams, ends, told)


@pytest.fixture(scope="module")
def written() -> Written:
    return some_traffic()


def test_what_a_worker_wrote_is_without_difference(written: Written) -> None:
    taken = 0

    def told(count: int) -> None:
        nonlocal taken
        taken += count

    found = verify(written, told)

    assert found.differences == []
    assert found.overshoot == 0
    assert found.interactions == taken == len(written.all(TOPICS.interactions.name))
    assert found.commands == len(written.all(TOPICS.commands.name))
    assert found.outcomes["started"] == found.confirmed[TOPICS.journal.name]["session_started"] > 100
    assert found.outcomes["covered"] > 100
    outputs = [topic for topic in TOPICS.all() if topic.name in found.confirmed]
    assert {topic.name: found.confirmed[topic.name].total() for topic in outputs} == {
        topic.name: len(written.all(topic.name)) for topic in outputs
    }
    assert len(outputs) == 6


@pytest.mark.parametrize("ahead", [1, 2, 5, 40])
def test_how_many_balances_are_read_ahead_makes_no_difference(
    written: Written, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are more than that in any larger log."""
    monkeypatch.setattr(balances, "_AHEAD_MAX", ahead)

    found = verify(written)

    assert found.differences == []
    assert found.confirmed[TOPICS.balances.name].total() == len(written.all(TOPICS.balances.name)) > 40


@pytest.mark.parametrize("exhaustion", ["new_sessions", "all_chats"])
@settings(max_examples=8)
@given(seed=st.integers(0, 1000), batches=st.lists(st.tuples(st.integers(1, 200), st.integers(0, 41)), max_size=6))
def test_commands_and_timer_are_found_again_wherever_they_came(
    exhaustion: str, seed: int, batches: list[tuple[int, int]]
) -> None:
    rules = Rules(SMALL.prices, exhaustion="all_chats" if exhaustion == "all_chats" else "new_sessions")
    written, at = Written(rules), NOW_MS
    traffic = Traffic(seed, population(4), TOPICS, PARTITIONS, BUSY)
    written.publish(traffic.opening(), at)
    for count, days in batches:
        at += days * DAY_MS  # past a boundary of the monthly accounts
        written.tick(at)
        written.publish(traffic.take(count, at), at)

    assert verify(written).differences == []


@settings(max_examples=12)
@given(seed=st.integers(0, 1000), share=st.floats(0, 1), first_command=st.integers(0, 3))
def test_from_any_start_the_journal_before_it_is_folded(seed: int, share: float, first_command: int) -> None:
    written, at = Written(SMALL), NOW_MS
    traffic = Traffic(seed, population(6), TOPICS, PARTITIONS, BUSY)
    written.publish(traffic.opening(), at)
    for hours in (0, 7, 20, 30, 200):
        at += hours * HOUR_MS
        written.tick(at)
        written.publish(traffic.take(150, at), at)
    findings, journal = Findings(), TOPICS.journal.name

    for number in range(PARTITIONS):
        witness = Witness(number, PARTITIONS, TOPICS, written.rules, findings)
        first = int(share * len(written.records[TOPICS.interactions.name, number]))
        witness.start(written.batches(journal, number), first, first_command if first else 0, lambda _: None)
        go_on(witness, written, written.ends)

    assert findings.differences == []


@settings(max_examples=12)
@given(seed=st.integers(0, 1000), counts=st.lists(st.integers(0, 120), min_size=1, max_size=5))
def test_a_round_goes_on_where_the_last_one_ended_while_more_is_written(seed: int, counts: list[int]) -> None:
    """What was written after the end of a round was seen in it already, and counts in the next one all the same."""
    written = Written(SMALL)
    traffic = Traffic(seed, population(6), TOPICS, PARTITIONS, BUSY)
    findings = Findings()
    witnesses = [Witness(number, PARTITIONS, TOPICS, SMALL, findings) for number in range(PARTITIONS)]
    written.publish(traffic.opening())
    for count in counts:
        ends = written.ends
        written.publish(traffic.take(count, NOW_MS))
        for witness in witnesses:
            go_on(witness, written, ends)
    for witness in witnesses:
        go_on(witness, written, written.ends)

    assert findings.differences == []
    assert findings.interactions == len(written.all(TOPICS.interactions.name))
    assert findings.confirmed[TOPICS.journal.name].total() == len(written.all(TOPICS.journal.name))
    assert findings.confirmed[TOPICS.alerts.name].total() == len(written.all(TOPICS.alerts.name))


@settings(max_examples=12)
@given(seed=st.integers(0, 1000), shares=st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_it_starts_from_snapshots_however_old_each_is(seed: int, shares: list[float]) -> None:
    written, findings, journal = Written(SMALL), Findings(), TOPICS.journal.name
    traffic = Traffic(seed, population(6), TOPICS, PARTITIONS, BUSY)
    written.publish(traffic.opening())
    written.publish(traffic.take(300, NOW_MS))
    now = written.ends
    witnesses = [Witness(number, PARTITIONS, TOPICS, SMALL, findings) for number in range(PARTITIONS)]
    for witness in witnesses:
        number = witness.partition
        ends = Ends(now[TOPICS.interactions.name, number], now[TOPICS.commands.name, number], {})
        snapshots: dict[str, Account] = {}
        for place, record in enumerate(written.records[journal, number]):
            event = decode_event(record.value() or b"")
            account = snapshots.get(event.account_id)
            share = shares[sum(event.account_id.encode()) % len(shares)]
            if place <= share * now[journal, number] and event.version == (account.version if account else 0) + 1:
                snapshots[event.account_id] = evolve(account, event)
        witness.start_from_snapshots(snapshots.values(), written.batches(journal, number), ends, lambda _: None)
    written.publish(traffic.take(300, NOW_MS))
    for witness in witnesses:
        go_on(witness, written, written.ends)

    assert findings.differences == []
    assert 250 < findings.interactions < 300


def test_windows_and_chats_that_nothing_can_meet_any_more_are_forgotten() -> None:
    written, at = Written(RULES), NOW_MS
    traffic = Traffic(5, population(6), TOPICS, PARTITIONS, Mix(bad_share=0, new_user_share=1))
    written.publish(traffic.opening(), at)
    for _ in range(10):
        at += DAY_MS
        written.publish(traffic.take(300, at), at)
    findings = Findings()
    witness = Witness(0, PARTITIONS, TOPICS, RULES, findings)
    go_on(witness, written, written.ends)

    assert findings.differences == []
    sessions = findings.confirmed[TOPICS.journal.name]["session_started"]
    assert 0 < len(witness._states.windows) < sessions / 2


OTHER = Rules(
    PriceBook(pack_sessions=7, pack_price_minor=777, complimentary_sessions=3),
    late_limit_ms=HOUR_MS,
    exhaustion="all_chats",
    default_thresholds=(40, 90),
)


def of_three_times() -> Written:
    """Small rules, others, and the small ones again; cycles roll at one of the changes."""
    written = Written(SMALL)
    traffic = Traffic(5, population(12), TOPICS, PARTITIONS, BUSY)
    written.publish(traffic.opening())
    written.publish(traffic.take(3_000, NOW_MS))
    written.tick(NOW_MS + 40 * DAY_MS)
    written.follow(OTHER)
    written.tick(NOW_MS + 80 * DAY_MS)
    written.publish(traffic.take(3_000, NOW_MS + 80 * DAY_MS), NOW_MS + 80 * DAY_MS)
    written.follow(SMALL)
    written.publish(traffic.take(3_000, NOW_MS + 81 * DAY_MS), NOW_MS + 81 * DAY_MS)
    return written


def test_c5_each_part_of_the_log_is_recomputed_by_the_rules_of_its_time() -> None:
    written = of_three_times()
    blind = written.copy()
    blind.changes.clear()

    assert verify(written).total == 0
    assert verify(blind).total > 100


def test_c5_a_change_that_comes_between_two_rounds_is_followed_from_its_place_on() -> None:
    written, findings = Written(SMALL), Findings()
    traffic = Traffic(6, population(12), TOPICS, PARTITIONS, BUSY)
    witnesses = [Witness(number, PARTITIONS, TOPICS, SMALL, findings) for number in range(PARTITIONS)]
    written.publish(traffic.opening())
    for rules in (OTHER, SMALL, OTHER):
        written.publish(traffic.take(1_000, NOW_MS))
        for witness in witnesses:
            go_on(witness, written, written.ends)
        written.publish(traffic.take(500, NOW_MS))
        written.follow(rules)
        for witness in witnesses:
            witness.update(written.changes[witness.partition], frozenset())
        written.publish(traffic.take(500, NOW_MS))
        for witness in witnesses:
            go_on(witness, written, written.ends)

    assert findings.total == 0
    assert findings.interactions > 5_000
