"""Outputs that somebody changed: each change is found, and told as what it is, where it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botmeter.contracts.encoding import decode_event
from botmeter.contracts.topics import Topic, partition_of
from botmeter.domain import events as ev
from botmeter.domain.account import Account, evolve
from botmeter.replay.tape import TapeRecord
from botmeter.simulation.accounts import population
from botmeter.simulation.traffic import Mix, Traffic
from botmeter.verification.findings import Findings, shown
from botmeter.verification.ledger import Ledger

from .test_witness import verify
from .written import NOW_MS, PARTITIONS, SMALL, TOPICS, Written, some_traffic

Records = list[TapeRecord]
IN_ORDER = (TOPICS.journal, TOPICS.alerts, TOPICS.handoffs, TOPICS.command_results, TOPICS.dead_letters)
#: Fields that name a message, of each topic: with another name it is another message.
NAMES = ("type", "account_id", "version", "cause")


@pytest.fixture(scope="module")
def as_written() -> Written:
    written = some_traffic(2_000, Mix(bad_share=0.05, command_share=0.02, open_chats=20), SMALL)
    assert verify(written).differences == []
    return written


def with_value(record: TapeRecord, value: bytes | None) -> TapeRecord:
    topic, partition, offset = record.topic(), record.partition(), record.offset()
    return TapeRecord(topic, partition, offset, record.key(), value, record.timestamp()[1], record.headers() or [])


def changed(record: TapeRecord, **fields: object) -> TapeRecord:
    return with_value(record, json.dumps({**json.loads(record.value() or b""), **fields}).encode())


def numbered(records: Records) -> Records:
    """Offsets are places, whatever was done to the records."""
    return [
        TapeRecord(r.topic(), r.partition(), place, r.key(), r.value(), r.timestamp()[1], r.headers() or [])
        for place, r in enumerate(records)
    ]


def mutated(written: Written, topic: Topic, partition: int, change: Callable[[Records], object]) -> Findings:
    mutant = written.copy()
    records = mutant.records[topic.name, partition]
    change(records)
    mutant.records[topic.name, partition] = numbered(records)
    return verify(mutant)


def some_place(written: Written, topic: Topic, dice: Random) -> tuple[int, int]:
    """A partition and a record of it that has another one after it."""
    places = [(number, len(written.records[topic.name, number])) for number in range(PARTITIONS)]
    number, count = dice.choice([each for each in places if each[1] > 1])
    return number, dice.randrange(count - 1)


def kinds(found: Findings, topic: Topic) -> set[str]:
    """What is wrong; nothing of any other topic."""
    assert {name for name, _ in found.counts} <= {topic.name}
    return {kind for _, kind in found.counts}


@pytest.mark.parametrize("topic", IN_ORDER, ids=lambda topic: topic.name)
@settings(max_examples=5)
@given(dice=st.randoms(use_true_random=False))
def test_an_output_that_is_missing(as_written: Written, topic: Topic, dice: Random) -> None:
    number, place = some_place(as_written, topic, dice)
    records = as_written.records[topic.name, number]
    lost = records[place]
    if topic is TOPICS.journal and is_only_event_of_a_command(lost, records):
        return  # nothing else tells when the command was taken (J4)

    found = mutated(as_written, topic, number, lambda records: records.pop(place))

    assert kinds(found, topic) == {"missing"}
    [difference] = found.differences
    assert (difference.topic, difference.partition, difference.offset) == (topic.name, number, None)
    assert difference.expected == shown(lost.value())


def is_only_event_of_a_command(event: TapeRecord, journal: Records) -> bool:
    cause = decode_event(event.value() or b"").cause
    return isinstance(cause, ev.CommandCause) and cause not in (
        decode_event(other.value() or b"").cause for other in journal if other is not event
    )


@pytest.mark.parametrize("topic", IN_ORDER, ids=lambda topic: topic.name)
@settings(max_examples=5)
@given(dice=st.randoms(use_true_random=False))
def test_an_output_that_is_there_twice(as_written: Written, topic: Topic, dice: Random) -> None:
    number, place = some_place(as_written, topic, dice)
    again = dice.randrange(place + 1, len(as_written.records[topic.name, number]) + 1)

    found = mutated(as_written, topic, number, lambda records: records.insert(again, records[place]))

    assert "twice" in kinds(found, topic)
    assert again in {difference.offset for difference in found.differences}


@pytest.mark.parametrize("topic", IN_ORDER, ids=lambda topic: topic.name)
@settings(max_examples=5)
@given(dice=st.randoms(use_true_random=False))
def test_outputs_that_changed_places(as_written: Written, topic: Topic, dice: Random) -> None:
    number, place = some_place(as_written, topic, dice)
    records = as_written.records[topic.name, number]
    if topic is TOPICS.dead_letters and source_of(records[place]) != source_of(records[place + 1]):
        return  # between the two inputs there is no order that could be known
    if topic is TOPICS.journal and any(is_only_event_of_a_command(each, records) for each in records[place:][:2]):
        return  # nothing else tells when the command was taken (J4)

    def swap(of: Records) -> None:
        of[place], of[place + 1] = of[place + 1], of[place]

    assert kinds(mutated(as_written, topic, number, swap), topic) == {"out_of_order"}


def source_of(letter: TapeRecord) -> bytes | None:
    return dict(letter.headers() or [])["__streams.errors.topic"]


@pytest.mark.parametrize("topic", [*IN_ORDER[:-1], TOPICS.balances], ids=lambda topic: topic.name)
@settings(max_examples=10)
@given(dice=st.randoms(use_true_random=False))
def test_any_field_that_says_something_else(as_written: Written, topic: Topic, dice: Random) -> None:
    number, place = some_place(as_written, topic, dice)
    record = as_written.records[topic.name, number][place]
    fields = json.loads(record.value() or b"")
    name = dice.choice([name for name in fields if name not in NAMES])

    def alter(records: Records) -> None:
        records[place] = changed(record, **{name: other_than(fields[name])})

    found = mutated(as_written, topic, number, alter)
    assert kinds(found, topic) == {"altered"}
    [difference] = found.differences
    assert (difference.partition, difference.offset) == (number, place)
    assert name in difference.explanation
    assert json.loads(difference.expected or "") == fields


def other_than(value: object) -> object:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value[:-1]}0" if value.endswith("Z") else f"{value}x"
        case _:
            return 7


@pytest.mark.parametrize("name", [name for name in NAMES if name != "cause"])
@pytest.mark.parametrize("topic", [*IN_ORDER[:-1], TOPICS.balances], ids=lambda topic: topic.name)
def test_a_message_under_another_name(as_written: Written, topic: Topic, name: str) -> None:
    """Of a name that the topic has not: another account's, another version's, another type's."""
    number, place = some_place(as_written, topic, Random(name))
    record = as_written.records[topic.name, number][place]
    value = json.loads(record.value() or b"")
    if name not in value:
        return  # a refusal has no version

    def rename(records: Records) -> None:
        records[place] = changed(record, **{name: other_than(value[name])})

    assert kinds(mutated(as_written, topic, number, rename), topic)


@pytest.mark.parametrize("by", [-1, 1])
def test_a_balance_off_by_one(as_written: Written, by: int) -> None:
    number, place = some_place(as_written, TOPICS.balances, Random(1))
    record = as_written.records[TOPICS.balances.name, number][place]
    used = json.loads(record.value() or b"")["used"]

    def alter(records: Records) -> None:
        records[place] = changed(record, used=used + by)

    [difference] = mutated(as_written, TOPICS.balances, number, alter).differences
    assert difference.explanation == f"used is {used + by}, not {used}"


def test_the_last_balance_of_an_account_that_is_missing_and_one_that_is_there_twice(as_written: Written) -> None:
    records = as_written.records[TOPICS.balances.name, 0]

    lost = mutated(as_written, TOPICS.balances, 0, lambda records: records.pop())
    doubled = mutated(as_written, TOPICS.balances, 0, lambda records: records.append(records[-1]))
    moved = mutated(as_written, TOPICS.balances, 0, lambda records: records.append(records.pop(0)))

    assert [each.kind for each in lost.differences] == ["missing"]
    assert (records[-1].key() or b"").decode() == lost.differences[0].account_id
    assert [each.kind for each in doubled.differences] == ["twice"]
    assert [each.kind for each in moved.differences] == ["out_of_order"]


@pytest.mark.parametrize("what", ["value", "key", "reason", "header"])
def test_a_dead_letter_that_is_not_its_record(as_written: Written, what: str) -> None:
    number, place = some_place(as_written, TOPICS.dead_letters, Random(2))
    r = as_written.records[TOPICS.dead_letters.name, number][place]
    headers, key, value = list(r.headers() or []), r.key(), r.value()
    match what:
        case "value":
            value = (value or b"") + b" "
        case "key":
            key = (key or b"") + b"x"
        case "reason":
            headers = [(name, b"too_late_" if name == "botmeter_reason" else had) for name, had in headers]
        case _:
            headers.insert(0, ("more", b"1"))

    def alter(records: Records) -> None:
        records[place] = TapeRecord(r.topic(), number, 0, key, value, r.timestamp()[1], headers)

    [difference] = mutated(as_written, TOPICS.dead_letters, number, alter).differences
    assert difference.kind == "altered"
    assert what in difference.explanation


@pytest.mark.parametrize("topic", [*IN_ORDER, TOPICS.balances], ids=lambda topic: topic.name)
def test_a_record_that_is_no_message_of_its_topic(as_written: Written, topic: Topic) -> None:
    def add(records: Records) -> None:
        records.insert(1, TapeRecord(topic.name, 0, 0, b"acme", b"{", NOW_MS, []))

    found = mutated(as_written, topic, 0, add)
    assert kinds(found, topic) == {"unreadable"}
    assert found.differences[0].offset == 1


@pytest.mark.parametrize("header", ["ce_id", "ce_type", "ce_time", "ce_subject"])
@pytest.mark.parametrize("topic", [TOPICS.alerts, TOPICS.handoffs, TOPICS.balances], ids=lambda topic: topic.name)
def test_a_header_that_says_something_else(as_written: Written, topic: Topic, header: str) -> None:
    number, place = some_place(as_written, topic, Random(3))
    r = as_written.records[topic.name, number][place]
    headers = [(name, b"else" if name == header else value) for name, value in r.headers() or []]

    def alter(records: Records) -> None:
        records[place] = TapeRecord(r.topic(), number, 0, r.key(), r.value(), r.timestamp()[1], headers)

    [difference] = mutated(as_written, topic, number, alter).differences
    assert header in difference.explanation


def test_an_event_with_another_time_than_its_record(as_written: Written) -> None:
    """Cold restores look windows up by the records' times."""
    number, place = some_place(as_written, TOPICS.journal, Random(4))
    r = as_written.records[TOPICS.journal.name, number][place]

    def alter(records: Records) -> None:
        records[place] = TapeRecord(r.topic(), number, 0, r.key(), r.value(), NOW_MS + 1, [])

    [difference] = mutated(as_written, TOPICS.journal, number, alter).differences
    assert "the record's time" in difference.explanation


def test_an_interaction_that_nobody_metered(as_written: Written) -> None:
    written = as_written.copy()
    [record] = Traffic(9, population(1), TOPICS, PARTITIONS, Mix(bad_share=0)).take(1, NOW_MS)
    partition = partition_of(record.key or b"", PARTITIONS)
    place = written.records[TOPICS.interactions.name, partition]
    value = json.loads(record.value or b"") | {"actor": "end_user", "bot_id": "b", "end_user_id": "somebody else"}
    place.append(TapeRecord(record.topic, partition, len(place), record.key, json.dumps(value).encode(), NOW_MS, []))

    found = verify(written)
    assert "missing" in {kind for _, kind in found.counts}
    assert {each.source for each in found.differences} >= {f"{record.topic}-{partition}@{len(place) - 1}"}


def test_an_overshoot_is_counted_apart_from_the_accounts_own_counter(as_written: Written) -> None:
    """A journal that is perfect but for its allowance: what was granted is said to be less (T6)."""
    ledger, within = Ledger(Findings()), 0
    for record in as_written.all(TOPICS.journal.name):
        event = decode_event(record.value() or b"")
        if isinstance(event, ev.ComplimentaryGranted | ev.PacksPurchased | ev.SessionsCredited):
            event = replace(event, sessions=3)
        within += ledger.take(event)

    assert within < len(as_written.all(TOPICS.journal.name))


def test_the_ledger_goes_on_from_an_account_as_from_its_journal(as_written: Written) -> None:
    ledger = Ledger(Findings())
    accounts: dict[str, Account] = {}
    journal = [decode_event(record.value() or b"") for record in as_written.all(TOPICS.journal.name)]
    half = len(journal) // 2
    for event in journal[:half]:
        accounts[event.account_id] = evolve(accounts.get(event.account_id), event)
    for account in accounts.values():
        ledger.start_from(account)

    assert all(ledger.take(event) for event in journal[half:])
