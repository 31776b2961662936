"""Topics as data, and the partition of a key as every Kafka client has it."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from botmeter.contracts.decoding import MAX_RECORD_BYTES
from botmeter.contracts.topics import Topics, partition_of

#: From the tests of Apache Kafka's own client (UtilsTest), signed 32 bit.
KNOWN = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "hashed"), KNOWN.items())
def test_keys_go_where_the_java_client_sends_them(key: bytes, hashed: int) -> None:
    assert partition_of(key, 2**31) == hashed & 0x7FFF_FFFF


@given(st.binary(max_size=300), st.integers(1, 1000))
def test_keys_go_where_faust_sends_them(key: bytes, partitions: int) -> None:
    assert partition_of(key, partitions) == (murmur2(key) & 0x7FFF_FFFF) % partitions


def test_the_topics_have_the_names_of_the_contract() -> None:
    assert [topic.name for topic in Topics.named().all()] == [
        "chat.interactions",
        "billing.commands",
        "botmeter.journal",
        "botmeter.balances",
        "botmeter.alerts",
        "botmeter.handoffs",
        "botmeter.command-results",
        "botmeter.dead-letters",
        "botmeter.deliveries",
        "botmeter.snapshots",
        "botmeter.rules",
    ]


def test_names_are_settings() -> None:
    topics = Topics.named(prefix="eu.", interactions="i", commands="c")

    assert (topics.interactions.name, topics.commands.name, topics.dead_letters.name) == ("i", "c", "eu.dead-letters")


def test_directions_are_those_of_the_contract() -> None:
    assert [topic.direction for topic in Topics.named().all()] == ["in", "in", *["out"] * 7, "internal", "internal"]


def test_inputs_and_snapshots_are_stamped_by_the_broker_and_outputs_by_botmeter() -> None:
    """The snapshots for a worker without traffic, which asks what time it is."""
    stamps = {topic.config["message.timestamp.type"] for topic in Topics.named().all() if topic.direction == "out"}

    assert stamps == {"CreateTime"}
    assert Topics.named().snapshots.config["message.timestamp.type"] == "LogAppendTime"
    assert Topics.named().interactions.config["message.timestamp.type"] == "LogAppendTime"
    assert Topics.named().commands.config["message.timestamp.type"] == "LogAppendTime"


def test_the_journal_is_kept_for_ever_and_states_are_compacted() -> None:
    topics = Topics.named()

    assert topics.journal.config["retention.ms"] == topics.rules.config["retention.ms"] == "-1"
    assert [topic for topic in topics.all() if topic.config["cleanup.policy"] == "compact"] == [
        topics.balances,
        topics.snapshots,
    ]


def test_no_default_of_a_cluster_refuses_old_events_or_leaves_snapshots_uncompacted_for_long() -> None:
    topics = Topics.named()

    assert topics.journal.config["message.timestamp.before.max.ms"] == str(2**63 - 1)
    assert int(topics.snapshots.config["segment.bytes"]) <= 128 * 1_048_576


def test_a_value_that_is_too_large_still_arrives_and_still_fits_the_dead_letters() -> None:
    topics = Topics.named()
    sizes = {topic.name: int(topic.config["max.message.bytes"]) for topic in topics.all()}

    assert sizes[topics.interactions.name] > 2 * MAX_RECORD_BYTES
    assert sizes[topics.dead_letters.name] > sizes[topics.interactions.name]
    assert sizes[topics.snapshots.name] > sizes[topics.dead_letters.name]
