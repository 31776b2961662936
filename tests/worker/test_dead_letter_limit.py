"""Dead letters are told in the log by reason; too many of them stop their partition before its input is used up."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from botmeter.contracts.topics import partition_of
from botmeter.engine.dead_letter_limit import DeadLetterLimit

from .cluster import Cluster
from .traffic import interaction, opening

RECORDS = 3_000


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_share_above_the_limit_stops_its_partition_and_names_reason_and_remedy(clock: Clock) -> None:
    limit = DeadLetterLimit(50, clock)

    assert limit.passed(0, Counter(covered=600, wrong_partition=399)) is None
    failure = limit.passed(0, Counter(wrong_partition=300))
    assert failure is not None
    assert failure.reason.startswith("53 % of 1,299 records within a minute became dead letters, 699 of them wrong_p")
    assert failure.remedy.startswith("set the sender's partitioner to murmur2_random")
    assert limit.passed(1, Counter(wrong_partition=300)) is None


def test_what_is_older_than_a_minute_does_not_count(clock: Clock) -> None:
    limit = DeadLetterLimit(50, clock)
    assert limit.passed(0, Counter(malformed=999)) is None
    clock.now_s += 61

    assert limit.passed(0, Counter(covered=600, malformed=500)) is None


def test_exactly_the_limit_is_allowed_and_100_percent_are_any_number(clock: Clock) -> None:
    assert DeadLetterLimit(50, clock).passed(0, Counter(covered=1_000, malformed=1_000)) is None
    assert DeadLetterLimit(100, clock).passed(0, Counter(malformed=10_000)) is None


def test_a_rescued_partition_goes_on_until_its_share_was_below_once(clock: Clock) -> None:
    limit = DeadLetterLimit(50, clock)
    assert limit.passed(0, Counter(malformed=2_000)) is not None

    assert limit.passed(0, Counter(malformed=2_000)) is None
    clock.now_s += 61
    assert limit.passed(0, Counter(covered=2_000)) is None
    assert limit.passed(0, Counter(malformed=4_000)) is not None


@pytest.mark.kafka
def test_a_sender_at_fault_stops_one_partition_whose_input_is_kept_and_taken_later(cluster: Cluster) -> None:
    topics = cluster.topics
    number = partition_of(b"acme", cluster.partitions)
    cluster.put(topics.commands, "acme", json.dumps(opening("acme")).encode())
    cluster.flush()
    said = json.dumps(interaction("acme", "u-1")).encode()
    for _ in range(RECORDS):  # one of a producer without Kafka's partitioner
        cluster.put(topics.interactions, "acme", said, partition=1 - number)
    cluster.put(topics.interactions, "acme", said)
    cluster.flush()
    bounds = {"BOTMETER_BATCH_RECORDS": "500"}
    stopping = cluster.worker(**bounds)
    line = stopping.hears(rf"partition {1 - number} FAILED, the others go on: 100 % of [\d,]+ records within a minute")
    assert line.endswith("raise BOTMETER_DEAD_LETTER_LIMIT_PERCENT (100: any number) and restart the worker")
    told = stopping.hears(r"dead letters: \d+ wrong_partition, such as ")
    assert told.endswith("set the sender's partitioner to murmur2_random (librdkafka's default is another)")
    cluster.await_true(
        lambda: cluster.committed()[topics.interactions.name, number] == 1, [stopping], 60, "the other was not metered"
    )
    stopping.leaves()
    taken = cluster.committed()[topics.interactions.name, 1 - number]
    letters = cluster.read(topics.dead_letters)[topics.dead_letters.name, 1 - number]
    assert len(letters) == taken < RECORDS

    going_on = cluster.worker(**bounds, BOTMETER_DEAD_LETTER_LIMIT_PERCENT="100")
    cluster.await_all_taken([going_on])
    assert len(cluster.read(topics.dead_letters)[topics.dead_letters.name, 1 - number]) == RECORDS
    going_on.leaves()
