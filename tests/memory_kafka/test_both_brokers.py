"""What botmeter relies on in a broker and its clients, asked of the real one and of the one in memory alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from botmeter.errors import BotmeterError, Retriable, TaskMigrated, TransactionAborted
from botmeter.kafka import descriptions, questions
from botmeter.kafka.errors import cause, classify

from .sides import ANSWER_S, MemorySide, RealSide, Side, at, await_true, read_to_end, values


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.kafka)])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    if request.param == "memory":
        yield MemorySide()
        return
    made = RealSide(request.getfixturevalue("bootstrap_servers"), request.getfixturevalue("topic_prefix"))
    yield made
    made.close()


def opened(side: Side, name: str = "writer") -> Producer:
    producer = side.producer(name)
    producer.init_transactions(ANSWER_S)
    return producer


def write(producer: Producer, topic: str, *texts: str, partition: int = 0) -> None:
    for text in texts:
        producer.produce(topic, text, "key", partition)
    assert producer.flush(ANSWER_S) == 0


def error_of(call: Callable[[], object]) -> BotmeterError:
    with pytest.raises(KafkaException) as raised:
        call()
    return classify(cause(raised.value))


def reading(side: Side, topic: str, **options: Any) -> Consumer:
    consumer = side.consumer(**options)
    consumer.assign([at(topic)])
    return consumer


def test_an_open_transaction_holds_readers_of_what_is_committed_back(side: Side) -> None:
    topic, producer = side.topic(), opened(side)
    write(side.producer(), topic, "before")
    producer.begin_transaction()
    write(producer, topic, "a", "b")
    write(side.producer(), topic, "after")

    careful, careless = reading(side, topic), reading(side, topic, isolation_level="read_uncommitted")
    assert values(read_to_end(side, careful, 1)) == [b"before"]
    assert values(read_to_end(side, careless, 4)) == [b"before", b"a", b"b", b"after"]
    assert questions.stable_offsets(side.admin, topic, [0]) == {0: 1}
    assert questions.end_offsets(side.admin, topic, [0]) == {0: 4}
    assert careful.get_watermark_offsets(at(topic), timeout=ANSWER_S) == (0, 1)

    producer.commit_transaction(ANSWER_S)
    assert values(read_to_end(side, careful, 5)) == [b"a", b"b", b"after"]
    assert questions.stable_offsets(side.admin, topic, [0]) == questions.end_offsets(side.admin, topic, [0]) == {0: 5}


def test_what_is_aborted_is_never_seen_and_leaves_a_gap_of_offsets(side: Side) -> None:
    topic, producer = side.topic(), opened(side)
    producer.begin_transaction()
    write(producer, topic, "a", "b")
    producer.abort_transaction(ANSWER_S)
    producer.begin_transaction()
    write(producer, topic, "c")
    producer.commit_transaction(ANSWER_S)

    found = read_to_end(side, reading(side, topic), 5)

    assert values(found) == [b"c"]
    assert [message.offset() for message in found] == [3]  # 2 and 4 are the ends of the transactions
    assert questions.end_offsets(side.admin, topic, [0]) == {0: 5}
    careless = reading(side, topic, isolation_level="read_uncommitted")
    assert values(read_to_end(side, careless, 5)) == [b"a", b"b", b"c"]


def test_all_partitions_of_a_transaction_are_decided_together(side: Side) -> None:
    topic, producer = side.topic(2), opened(side)
    producer.begin_transaction()
    write(producer, topic, "left", partition=0)
    write(producer, topic, "right", partition=1)
    producer.commit_transaction(ANSWER_S)

    right = side.consumer()
    right.assign([at(topic, partition=1)])
    assert values(read_to_end(side, reading(side, topic), 2)) == [b"left"]
    assert values(read_to_end(side, right, 2)) == [b"right"]


def test_a_new_producer_of_the_same_name_ends_what_the_earlier_left_open_and_fences_it(side: Side) -> None:
    topic, earlier = side.topic(), opened(side)
    earlier.begin_transaction()
    write(earlier, topic, "never")

    later = opened(side)
    later.begin_transaction()
    write(later, topic, "now")
    later.commit_transaction(ANSWER_S)

    assert isinstance(error_of(lambda: earlier.commit_transaction(ANSWER_S)), TaskMigrated)
    assert values(read_to_end(side, reading(side, topic), 4)) == [b"now"]


def test_a_fenced_producer_writes_nothing(side: Side) -> None:
    topic, earlier = side.topic(), opened(side)
    earlier.begin_transaction()
    opened(side)
    earlier.produce(topic, "never", "key", 0)

    assert isinstance(error_of(lambda: earlier.flush(ANSWER_S)), TaskMigrated)
    assert isinstance(error_of(lambda: earlier.commit_transaction(ANSWER_S)), TaskMigrated)
    assert values(read_to_end(side, reading(side, topic), 0)) == []


def test_offsets_of_a_transaction_count_when_it_is_committed(side: Side) -> None:
    topic, group, producer = side.topic(2), side.group(), opened(side)
    member = side.consumer(group)
    careless = side.consumer(group, isolation_level="read_uncommitted")
    producer.begin_transaction()
    producer.send_offsets_to_transaction([at(topic, 7)], member.consumer_group_metadata(), ANSWER_S)

    assert committed(careless, topic) < 0
    assert isinstance(error_of(lambda: member.committed([at(topic)], timeout=1.0)), Retriable)

    producer.commit_transaction(ANSWER_S)
    assert committed(member, topic) == 7
    assert committed(member, topic, 1) < 0


def test_offsets_of_an_aborted_transaction_never_count(side: Side) -> None:
    topic, group, producer = side.topic(), side.group(), opened(side)
    member = side.consumer(group)
    for offset, is_kept in ((5, True), (9, False)):
        producer.begin_transaction()
        producer.send_offsets_to_transaction([at(topic, offset)], member.consumer_group_metadata(), ANSWER_S)
        (producer.commit_transaction if is_kept else producer.abort_transaction)(ANSWER_S)

    assert committed(member, topic) == 5


def committed(consumer: Consumer, topic: str, partition: int = 0) -> int:
    return consumer.committed([at(topic, partition=partition)], timeout=ANSWER_S)[0].offset


def test_a_text_is_kept_beside_an_offset_until_the_next_is_committed(side: Side) -> None:
    topic, group, everybody, producer = side.topic(), side.group(), list[Member](), opened(side)
    member = Member(side, group, topic, everybody)
    await_true(side, lambda: member.owned == {0}, member.consumer)
    place = TopicPartition(topic, 0, 5, metadata="why it stands")
    member.consumer.commit(offsets=[place], asynchronous=False)
    [found] = member.consumer.committed([at(topic)], timeout=ANSWER_S)
    assert (found.offset, found.metadata) == (5, "why it stands")

    producer.begin_transaction()
    producer.send_offsets_to_transaction([at(topic, 6)], member.consumer.consumer_group_metadata(), ANSWER_S)
    producer.commit_transaction(ANSWER_S)
    [found] = member.consumer.committed([at(topic)], timeout=ANSWER_S)
    assert (found.offset, found.metadata or "") == (6, "")


def test_a_group_tells_its_members_and_what_they_have(side: Side) -> None:
    topic, group, everybody = side.topic(2), side.group(), list[Member]()
    assert not descriptions.describe_group(side.admin, side.group()).members
    member = Member(side, group, topic, everybody)
    await_true(side, lambda: member.owned == {0, 1}, member.consumer)

    [places] = descriptions.describe_group(side.admin, group).members.values()
    assert sorted(places) == [(topic, 0), (topic, 1)]


def test_a_producer_that_closes_aborts_what_it_left_open(side: Side) -> None:
    topic, producer = side.topic(), opened(side)
    producer.begin_transaction()
    write(producer, topic, "never")
    producer.close()

    assert values(read_to_end(side, reading(side, topic), 2)) == []


def test_a_delivery_report_tells_the_offset(side: Side) -> None:
    topic, producer, told = side.topic(), opened(side), []
    write(side.producer(), topic, "before")
    producer.begin_transaction()
    producer.produce(topic, "a", "key", 0, on_delivery=lambda error, message: told.append((error, message.offset())))
    assert producer.flush(ANSWER_S) == 0
    producer.commit_transaction(ANSWER_S)

    assert told == [(None, 1)]


def test_the_topic_decides_whose_time_a_record_has(side: Side) -> None:
    brokers, producers, producer = side.topic(has_brokers_time=True), side.topic(), side.producer()
    for topic in (brokers, producers):
        for moment in (1_000, 2_000, 3_000):
            producer.produce(topic, str(moment), "key", 0, timestamp=moment)
        producer.flush(ANSWER_S)

    stamped = [message.timestamp() for message in read_to_end(side, reading(side, brokers), 3)]
    assert {kind for kind, _ in stamped} == {2}
    assert min(at_ms for _, at_ms in stamped) > 1_700_000_000_000
    assert [message.timestamp() for message in read_to_end(side, reading(side, producers), 3)] == [
        (1, 1_000), (1, 2_000), (1, 3_000),
    ]  # fmt: skip
    assert questions.offsets_at(side.admin, producers, [0], 2_000) == {0: 1}
    assert questions.offsets_at(side.admin, producers, [0], 3_001) == {0: 3}
    assert questions.begin_offsets(side.admin, producers, [0]) == {0: 0}


def test_each_end_of_a_partition_is_told_once(side: Side) -> None:
    topic, producer = side.topic(), side.producer()
    consumer = reading(side, topic)
    assert read_to_end(side, consumer, 0) == []
    assert consumer.poll(0.5) is None
    write(producer, topic, "a")
    assert values(read_to_end(side, consumer, 1)) == [b"a"]
    assert consumer.poll(0.5) is None


def test_an_offset_beyond_the_end_is_an_error(side: Side) -> None:
    topic = side.topic()
    consumer = side.consumer()
    consumer.assign([at(topic, 5)])
    found: list[KafkaError] = []

    def is_told() -> bool:
        message = consumer.poll(0.1)
        if message is not None and (error := message.error()) is not None:
            found.append(error)
        return bool(found)

    await_true(side, is_told)
    assert found[0].code() == KafkaError._AUTO_OFFSET_RESET


def test_seek_pause_and_resume(side: Side) -> None:
    topic, other, producer = side.topic(), side.topic(), side.producer()
    write(producer, topic, "a", "b", "c")
    write(producer, other, "x")
    consumer = reading(side, topic)
    assert values(read_to_end(side, consumer, 3)) == [b"a", b"b", b"c"]
    consumer.seek(at(topic, 1))
    assert values(read_to_end(side, consumer, 3)) == [b"b", b"c"]

    consumer.pause([at(topic)])
    write(producer, topic, "d")
    consumer.incremental_assign([at(other)])
    assert values(read_to_end(side, consumer, 1)) == [b"x"]
    assert consumer.poll(0.5) is None
    consumer.resume([at(topic)])
    assert values(read_to_end(side, consumer, 4)) == [b"d"]

    consumer.incremental_unassign([at(topic)])
    write(producer, topic, "e")
    write(producer, other, "y")
    assert values(read_to_end(side, consumer, 2)) == [b"y"]


def test_what_is_paused_stays_paused_when_it_is_assigned_again(side: Side) -> None:
    topic, producer = side.topic(), side.producer()
    write(producer, topic, "a")
    consumer = reading(side, topic)
    assert values(read_to_end(side, consumer, 1)) == [b"a"]

    consumer.pause([at(topic)])
    consumer.incremental_unassign([at(topic)])
    consumer.incremental_assign([at(topic, 0)])
    assert consumer.poll(0.5) is None
    consumer.resume([at(topic)])
    assert values(read_to_end(side, consumer, 1)) == [b"a"]


class Member:
    """A consumer of a group that notes what it is given and what is taken from it."""

    def __init__(self, side: Side, group: str, topic: str, everybody: list[Member]) -> None:
        self.owned: set[int] = set()
        self._everybody = everybody
        everybody.append(self)
        self.consumer = side.consumer(group)
        self.consumer.subscribe([topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke)

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        given = {each.partition for each in partitions}
        for other in self._everybody:
            assert other is self or not other.owned & given, "two members have the same partition"
        self.owned |= given
        self.consumer.incremental_assign([])

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self.owned -= {each.partition for each in partitions}
        self.consumer.incremental_unassign([])


def test_members_share_the_partitions_and_none_is_with_two(side: Side) -> None:
    topic, group, everybody = side.topic(4), side.group(), list[Member]()
    first = Member(side, group, topic, everybody)
    await_true(side, lambda: first.owned == {0, 1, 2, 3}, first.consumer)
    second = Member(side, group, topic, everybody)
    await_true(side, lambda: len(first.owned) == len(second.owned) == 2, first.consumer, second.consumer)
    assert first.owned | second.owned == {0, 1, 2, 3}

    second.consumer.close()
    assert second.owned == set()
    await_true(side, lambda: first.owned == {0, 1, 2, 3}, first.consumer)


def test_what_a_member_of_an_earlier_generation_commits_is_refused(side: Side) -> None:
    topic, group, everybody, producer = side.topic(2), side.group(), list[Member](), opened(side)
    first = Member(side, group, topic, everybody)
    await_true(side, lambda: first.owned == {0, 1}, first.consumer)
    stale = first.consumer.consumer_group_metadata()
    second = Member(side, group, topic, everybody)
    await_true(side, lambda: len(first.owned) == len(second.owned) == 1, first.consumer, second.consumer)

    producer.begin_transaction()
    error = error_of(lambda: producer.send_offsets_to_transaction([at(topic, 7)], stale, ANSWER_S))
    assert isinstance(error, TransactionAborted)
    producer.abort_transaction(ANSWER_S)

    producer.begin_transaction()
    valid = first.consumer.consumer_group_metadata()
    producer.send_offsets_to_transaction([at(topic, 8)], valid, ANSWER_S)
    producer.commit_transaction(ANSWER_S)
    assert committed(first.consumer, topic) == 8


def test_a_member_that_left_commits_nothing(side: Side) -> None:
    topic, group, everybody, producer = side.topic(), side.group(), list[Member](), opened(side)
    member = Member(side, group, topic, everybody)
    await_true(side, lambda: member.owned == {0}, member.consumer)
    stale = member.consumer.consumer_group_metadata()
    member.consumer.close()

    producer.begin_transaction()
    error = error_of(lambda: producer.send_offsets_to_transaction([at(topic, 7)], stale, ANSWER_S))

    assert isinstance(error, TransactionAborted)
