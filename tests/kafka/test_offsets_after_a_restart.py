"""A client that asked before the broker restarted is answered after it."""

from __future__ import annotations

import pytest
from confluent_kafka.cimpl import NewTopic

from botmeter.embedded import EmbeddedKafka
from botmeter.kafka.clients import admin_config, make_admin, make_producer, simple_producer_config
from botmeter.kafka.questions import begin_offsets, end_offsets, offsets_at, topic_ids

pytestmark = pytest.mark.kafka


@pytest.mark.chaos
def test_offsets_are_told_although_the_leader_is_of_another_epoch_by_now() -> None:
    with (
        EmbeddedKafka() as broker,
        make_admin(admin_config({}, broker.bootstrap_servers)) as admin,
        make_producer(simple_producer_config({}, broker.bootstrap_servers)) as producer,
    ):
        [made] = admin.create_topics([NewTopic("topic", num_partitions=2)]).values()
        made.result()
        topic_ids(admin, ["topic"])
        producer.produce("topic", b"value", partition=1, timestamp=1_000)
        assert producer.flush(30) == 0
        assert end_offsets(admin, "topic", [0, 1]) == {0: 0, 1: 1}
        broker.stop()
        broker.start()

        assert end_offsets(admin, "topic", [0, 1]) == {0: 0, 1: 1}
        assert begin_offsets(admin, "topic", [0, 1]) == {0: 0, 1: 0}
        assert offsets_at(admin, "topic", [1], timestamp_ms=1_001) == {1: 1}
