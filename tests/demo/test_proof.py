"""The proof: finds nothing in what a worker wrote, and everything that was planted there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botmeter.contracts.encoding import decode_event
from botmeter.contracts.topics import partition_of
from botmeter.demo import summary
from botmeter.demo.audit import Audit, Auditor
from botmeter.demo.proof import Findings, Ledger
from botmeter.domain.prices import DAY_MS
from botmeter.replay.tape import TapeRecord
from botmeter.simulation.accounts import population
from botmeter.simulation.traffic import Mix, Traffic

from .written import NOW_MS, PARTITIONS, RULES, TOPICS, Written, some_traffic

JOURNAL, BALANCES = TOPICS.journal.name, TOPICS.balances.name


@pytest.fixture(scope="module")
def as_written() -> Written:
    return some_traffic()


@pytest.fixture
def written(as_written: Written) -> Written:
    """To be changed at will."""
    return as_written.copy()


def audit(written: Written) -> Audit:
    return Auditor(written.read, TOPICS, RULES, written.ends).run()


def place_of(written: Written, topic: str, type_: str, skip: int = 0) -> tuple[list[TapeRecord], int]:
    """Where a record of that type stands."""
    for number in range(PARTITIONS):
        records = written.records[topic, number]
        for place, record in enumerate(records):
            if json.loads(record.value() or b"{}").get("type") == type_:
                skip -= 1
                if skip < 0:
                    return records, place
    raise AssertionError(f"there is no {type_} in {topic}")


def changed(record: TapeRecord, **fields: Any) -> TapeRecord:
    value = json.dumps({**json.loads(record.value() or b""), **fields}, separators=(",", ":")).encode()
    topic, partition, offset = record.topic(), record.partition(), record.offset()
    return TapeRecord(topic, partition, offset, record.key(), value, record.timestamp()[1], record.headers() or [])


def test_what_a_worker_wrote_is_without_difference(written: Written) -> None:
    found = audit(written)

    assert found.findings.differences == []
    assert found.findings.overshoot == 0
    assert found.findings.balances == len({record.key() for record in written.all(BALANCES)})
    assert found.tally.interactions == len(written.all(TOPICS.interactions.name))
    assert found.tally.commands == len(written.all(TOPICS.commands.name))
    outcomes = found.tally.outcomes
    assert outcomes["started"] == found.findings.written[JOURNAL]["session_started"] > 100
    assert outcomes["covered"] > 100
    assert found.tally.repeated > 0
    assert found.findings.written[TOPICS.dead_letters.name].total() == len(written.all(TOPICS.dead_letters.name))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), batches=st.lists(st.tuples(st.integers(1, 200), st.booleans()), max_size=6))
def test_commands_and_timer_are_found_again_wherever_they_came(seed: int, batches: list[tuple[int, bool]]) -> None:
    written, at = Written(), NOW_MS
    mix = Mix(bad_share=0.02, command_share=0.1, open_chats=20)
    traffic = Traffic(seed, population(4), TOPICS, PARTITIONS, mix)
    written.publish(traffic.opening(), at)
    for count, is_later in batches:
        if is_later:
            at += 40 * DAY_MS  # past a boundary of the monthly accounts
            written.tick(at)
        written.publish(traffic.take(count, at), at)

    assert audit(written).findings.differences == []


def planted_extra_session(written: Written) -> None:
    records, place = place_of(written, JOURNAL, "session_started")
    records.insert(place, records[place])


def planted_missing_session(written: Written) -> None:
    records, place = place_of(written, JOURNAL, "session_started", skip=20)
    del records[place]


def planted_wrong_balance(written: Written) -> None:
    records = max((written.records[BALANCES, number] for number in range(PARTITIONS)), key=len)
    records[-1] = changed(records[-1], used=1)


def planted_lost_balance(written: Written) -> None:
    records = max((written.records[BALANCES, number] for number in range(PARTITIONS)), key=len)
    lost = records[-1].key()
    records[:] = [record for record in records if record.key() != lost]


def planted_gap_in_versions(written: Written) -> None:
    records, place = place_of(written, JOURNAL, "session_started", skip=5)
    records[place] = changed(records[place], version=json.loads(records[place].value() or b"")["version"] + 1)


def planted_alert_twice(written: Written) -> None:
    records, place = place_of(written, TOPICS.alerts.name, "threshold_reached")
    records.append(records[place])


def planted_lost_handoff(written: Written) -> None:
    records, place = place_of(written, TOPICS.handoffs.name, "chat_handed_off")
    del records[place]


def planted_lost_answer(written: Written) -> None:
    records, place = place_of(written, TOPICS.command_results.name, "accepted")
    del records[place]


def planted_lost_dead_letter(written: Written) -> None:
    del next(filter(None, (written.records[TOPICS.dead_letters.name, number] for number in range(PARTITIONS))))[0]


def planted_interaction_nobody_metered(written: Written) -> None:
    [record] = Traffic(9, population(1), TOPICS, PARTITIONS, Mix(bad_share=0)).take(1, NOW_MS)
    assert record.key is not None
    partition = partition_of(record.key, PARTITIONS)
    place = written.records[TOPICS.interactions.name, partition]
    value = json.loads(record.value or b"") | {"actor": "end_user", "bot_id": "b", "end_user_id": "somebody else"}
    place.append(TapeRecord(record.topic, partition, len(place), record.key, json.dumps(value).encode(), NOW_MS, []))


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (planted_extra_session, "follows version"),
        (planted_extra_session, "was charged twice"),
        (planted_missing_session, "follows version"),
        (planted_missing_session, "botmeter.journal, partition"),
        (planted_wrong_balance, "its balance says"),
        (planted_lost_balance, "its balance says nothing"),
        (planted_gap_in_versions, "the journal has a gap"),
        (planted_alert_twice, "botmeter.alerts, partition"),
        (planted_lost_handoff, "botmeter.handoffs, partition"),
        (planted_lost_answer, "botmeter.command-results, partition"),
        (planted_lost_dead_letter, "dead letters: 1 missing of chat.interactions"),
        (planted_interaction_nobody_metered, "botmeter.journal, partition"),
    ],
)
def test_what_was_planted_is_found(written: Written, plant: Callable[[Written], None], told: str) -> None:
    plant(written)

    differences = audit(written).findings.differences
    assert any(told in difference for difference in differences), differences


def test_an_overshoot_is_counted_apart_from_the_accounts_own_counter(written: Written) -> None:
    """A journal that is perfect but for its allowance: what was granted is said to be less."""
    findings = Findings()
    ledger = Ledger(findings)
    charged: dict[str, int] = {}
    for record in written.all(JOURNAL):
        event = decode_event(record.value() or b"")
        if json.loads(record.value() or b"")["type"] in (
            "complimentary_granted",
            "packs_purchased",
            "sessions_credited",
        ):
            event = decode_event(changed(record, sessions=3).value() or b"")
        ledger.take(event)
        charged.setdefault(event.account_id, 0)

    assert findings.overshoot > 0


def test_the_summary_says_what_was_found(written: Written) -> None:
    found = audit(written)
    lines = "\n".join(summary.figures(found, TOPICS))

    assert f"{found.tally.interactions:,}" in lines
    assert "overshoot                     0" in lines
    assert list(summary.verdict(found)) == ["OK: no overshoot, no gap in versions, no session twice, no difference"]


def test_the_summary_names_the_differences(written: Written) -> None:
    planted_wrong_balance(written)
    first, *rest = summary.verdict(audit(written))

    assert first == "NOT OK: 1 difference"
    assert "its balance says" in rest[0]


def test_the_summary_is_narrow_enough_for_any_terminal(written: Written) -> None:
    assert max(len(line) for text in summary.figures(audit(written), TOPICS) for line in text.splitlines()) <= 80
