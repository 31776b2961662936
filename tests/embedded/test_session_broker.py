"""What tests may expect of the session's broker, embedded or in a container."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

pytestmark = pytest.mark.kafka

#: An end to hanging, not a measure.
PATIENCE_S = 120

prefixes_of_other_tests: list[str] = []


def create_topic(bootstrap_servers: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(timeout=PATIENCE_S)


def first_record(consumer: Consumer, topic: str) -> Message:
    consumer.subscribe([topic])
    record = consumer.poll(timeout=PATIENCE_S)
    consumer.close()
    assert record is not None
    assert record.error() is None
    return record


def test_a_reader_of_committed_records_sees_the_committed_transaction_only(
    bootstrap_servers: str, topic_prefix: str
) -> None:
    topic = f"{topic_prefix}records"
    create_topic(bootstrap_servers, topic)
    producer = Producer({"bootstrap.servers": bootstrap_servers, "transactional.id": topic_prefix})
    producer.init_transactions(PATIENCE_S)

    producer.begin_transaction()
    producer.produce(topic, b"aborted")
    producer.flush(PATIENCE_S)
    producer.abort_transaction(PATIENCE_S)
    producer.begin_transaction()
    producer.produce(topic, b"committed")
    producer.commit_transaction(PATIENCE_S)

    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": topic_prefix,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    assert first_record(consumer, topic).value() == b"committed"


@pytest.mark.parametrize("group_protocol", ["classic", "consumer"])
def test_both_group_protocols_work(bootstrap_servers: str, topic_prefix: str, group_protocol: str) -> None:
    topic = f"{topic_prefix}records"
    create_topic(bootstrap_servers, topic)
    producer = Producer({"bootstrap.servers": bootstrap_servers})
    producer.produce(topic, b"for the group")
    assert producer.flush(PATIENCE_S) == 0

    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": topic_prefix,
            "group.protocol": group_protocol,
            "auto.offset.reset": "earliest",
        }
    )
    assert first_record(consumer, topic).value() == b"for the group"


def test_a_record_of_ten_megabytes_goes_through(bootstrap_servers: str, topic_prefix: str) -> None:
    topic = f"{topic_prefix}records"
    create_topic(bootstrap_servers, topic)
    ten_megabytes = b"x" * 10_000_000
    failures: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": bootstrap_servers, "message.max.bytes": 11_000_000})

    producer.produce(topic, ten_megabytes, on_delivery=lambda error, _: failures.append(error))
    assert producer.flush(PATIENCE_S) == 0

    assert failures == [None]


def test_a_topic_that_nobody_created_is_an_error(bootstrap_servers: str, topic_prefix: str) -> None:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": topic_prefix, "allow.auto.create.topics": True}
    )
    consumer.subscribe([f"{topic_prefix}nowhere"])

    with pytest.raises(KafkaException) as raised:
        raise_error_of(consumer.poll(timeout=PATIENCE_S))
    consumer.close()

    assert raised.value.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def raise_error_of(record: Message | None) -> None:
    if record is not None and (error := record.error()) is not None:
        raise KafkaException(error)


@pytest.mark.parametrize("_which", ["first", "second"])
def test_prefixes_differ_from_test_to_test(topic_prefix: str, _which: str) -> None:
    assert topic_prefix not in prefixes_of_other_tests
    prefixes_of_other_tests.append(topic_prefix)

    assert topic_prefix.startswith("test-prefixes-differ-from-test-to-test-")
    assert topic_prefix.endswith(".")
