"""The simulated traffic: repeatable, in the shares asked for, and made of what it says it is made of."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botmeter.contracts.decoding import decode_command, decode_interaction
from botmeter.contracts.instants import millis
from botmeter.contracts.topics import partition_of
from botmeter.domain.commands import CloseAccount, InvalidCommand, OpenAccount
from botmeter.domain.prices import DAY_MS, HOUR_MS, Rules
from botmeter.simulation.accounts import CLOSED, population
from botmeter.simulation.records import SimulatedRecord
from botmeter.simulation.spoiled import FAULTS
from botmeter.simulation.traffic import Mix, Traffic

from .metering import NOW_MS, PARTITIONS, TOPICS, meter, reasons

GOOD = {"interaction", "late interaction", "duplicate"}


def traffic(seed: int = 1, accounts: int = 24, mix: Mix = Mix(), partitions: int = PARTITIONS) -> Traffic:  # noqa: B008
    return Traffic(seed, population(accounts), TOPICS, partitions, mix)


def interactions(records: list[SimulatedRecord]) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"") for record in records if record.kind in GOOD]


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(),
    accounts=st.integers(1, 60),
    counts=st.lists(st.integers(0, 300), max_size=4),
    day_ms=st.none() | st.integers(NOW_MS, NOW_MS + DAY_MS),
)
def test_the_same_seed_gives_the_same_records(seed: int, accounts: int, counts: list[int], day_ms: int | None) -> None:
    one, other = traffic(seed, accounts), traffic(seed, accounts)

    assert one.opening() == other.opening()
    for step, count in enumerate(counts):
        assert one.take(count, NOW_MS + step, day_ms) == other.take(count, NOW_MS + step, day_ms)


def test_another_seed_gives_other_records_of_the_same_accounts() -> None:
    one, other = traffic(seed=1), traffic(seed=2)

    assert {record.key for record in one.opening()} == {record.key for record in other.opening()}
    ids = [{message["event_id"] for message in interactions(t.take(1000, NOW_MS))} for t in (one, other)]
    assert not ids[0] & ids[1]


def test_kinds_come_in_the_shares_asked_for() -> None:
    mix = Mix(bad_share=0.05, duplicate_share=0.1, late_share=0.2, command_share=0.01)
    found = Counter(record.kind.partition(":")[0] for record in traffic(mix=mix).take(20_000, NOW_MS))

    assert found["bad"] == pytest.approx(1_000, rel=0.2)
    assert found["duplicate"] == pytest.approx(2_000, rel=0.2)
    assert found["late interaction"] == pytest.approx(4_000, rel=0.2)
    assert found["command"] + found["unreadable command"] == pytest.approx(200, rel=0.4)


def test_without_a_share_of_bad_records_nothing_is_refused() -> None:
    chosen = traffic(mix=Mix(bad_share=0))

    assert reasons(meter([*chosen.opening(), *chosen.take(3_000, NOW_MS)])) == []


def test_good_records_decode_have_their_account_as_key_and_are_on_time() -> None:
    rules = Rules()
    for record in traffic().take(20_000, NOW_MS):
        if record.kind in GOOD:
            hot = decode_interaction(record.value)
            assert record.key == hot.account_id.encode()
            assert record.partition is None
            assert NOW_MS - rules.late_limit_ms < millis(hot.occurred_at) <= NOW_MS


def test_there_is_every_kind_of_chat() -> None:
    found = interactions(traffic().take(20_000, NOW_MS))

    assert {message["actor"] for message in found} == {"end_user", "bot", "agent", "system"}
    assert {message["widget"] for message in found} == {"conversations", "self_service"}
    assert {message.get("preview") for message in found} == {True, False, None}
    with_bot, without = (
        {message["conversation_id"] for message in found if bool(message.get("bot_id")) is has_bot}
        for has_bot in (True, False)
    )
    assert with_bot - without
    assert without - with_bot, "chats with agents alone"
    assert with_bot & without, "chats that a bot hands to an agent"


def test_some_end_users_return_and_some_are_new() -> None:
    chats: dict[tuple[str, str], set[str]] = {}
    for message in interactions(traffic(accounts=3).take(20_000, NOW_MS)):
        chats.setdefault((message["account_id"], message["end_user_id"]), set()).add(message["conversation_id"])

    returning = sum(len(conversations) > 1 for conversations in chats.values())
    assert 0.1 < returning / len(chats) < 0.9


def test_a_few_accounts_are_large() -> None:
    found = Counter(message["account_id"] for message in interactions(traffic(accounts=48).take(20_000, NOW_MS)))

    largest = [count for _, count in found.most_common(5)]
    assert sum(largest) > 0.35 * found.total()
    assert len(found) > 40


def test_a_duplicate_is_a_record_sent_before() -> None:
    sent: set[bytes | None] = set()
    duplicates = 0
    for record in traffic(mix=Mix(duplicate_share=0.2)).take(5_000, NOW_MS):
        if record.kind == "duplicate":
            duplicates += 1
            assert record.value in sent
        sent.add(record.value)
    assert duplicates


def test_late_interactions_are_seconds_to_hours_late() -> None:
    late_ms = [
        NOW_MS - millis(decode_interaction(record.value).occurred_at)
        for record in traffic(mix=Mix(late_share=0.5)).take(5_000, NOW_MS)
        if record.kind == "late interaction"
    ]

    assert min(late_ms) < 10_000
    assert max(late_ms) > 3 * HOUR_MS


@pytest.mark.parametrize("name", FAULTS)
def test_a_bad_record_is_refused_for_its_reason(name: str) -> None:
    chosen = traffic()
    bad = [chosen.spoil(name, NOW_MS) for _ in range(5)]

    assert reasons(meter([*chosen.opening(), *bad])) == [FAULTS[name].reason] * 5


def test_every_kind_of_fault_occurs() -> None:
    found = {record.kind.removeprefix("bad: ") for record in traffic(mix=Mix(bad_share=0.5)).take(10_000, NOW_MS)}

    assert found >= set(FAULTS)


def test_with_one_partition_there_is_no_other_one() -> None:
    chosen = traffic(mix=Mix(bad_share=0.5), partitions=1)

    assert {record.partition for record in chosen.take(5_000, NOW_MS)} == {None}


def test_misplaced_records_lie_beside_their_home() -> None:
    bad = traffic().spoil("other partition", NOW_MS)

    assert bad.key is not None
    assert bad.partition != partition_of(bad.key, PARTITIONS)
    assert bad.partition in range(PARTITIONS)


def test_the_opening_opens_accounts_of_every_plan_and_closes_one() -> None:
    commands = [decode_command(record.value) for record in traffic(accounts=12).opening()]

    opened = {account_id: command for account_id, command in commands if isinstance(command, OpenAccount)}
    assert {command.plan for command in opened.values()} == {"free", "growth", "pro", "enterprise"}
    assert {command.billing_cycle for command in opened.values()} == {"monthly", "quarterly", "half_yearly", "annual"}
    assert len({command.time_zone for command in opened.values()}) > 8
    assert [account_id for account_id, command in commands if isinstance(command, CloseAccount)] == [CLOSED.account_id]
    assert not any(isinstance(command, InvalidCommand) for _, command in commands)


def test_opening_twice_changes_nothing() -> None:
    opening = traffic().opening()

    def journal(records: list[SimulatedRecord]) -> list[bytes | None]:
        return [output.value for output in meter(records) if output.topic == TOPICS.journal.name]

    assert journal([*opening, *opening]) == journal(opening)


def test_the_whole_day_of_the_curve_averages_to_one() -> None:
    chosen = traffic()
    hours = [chosen.busyness(NOW_MS + hour * HOUR_MS) for hour in range(24)]

    assert sum(hours) / 24 == pytest.approx(1, abs=0.02)
    assert max(hours) > 1.3 * min(hours)


def test_accounts_are_busier_by_their_own_day() -> None:
    midnight_in_utc = NOW_MS - NOW_MS % DAY_MS

    def share_of_tokyo(day_ms: int) -> float:
        found = Counter(m["account_id"] for m in interactions(traffic(accounts=12).take(20_000, NOW_MS, day_ms)))
        return found["umbrella"] / found.total()

    at_noon, at_night = (share_of_tokyo(midnight_in_utc + hour * HOUR_MS) for hour in (3, 18))
    assert at_noon > 2 * at_night
