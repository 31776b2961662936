"""What can befall a broker and its topics while a worker is at work, and what it looks like when all is well again."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from confluent_kafka import IsolationLevel, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import OffsetSpec as _OffsetSpec  # type: ignore[attr-defined] # public, says its documentation
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.cimpl import NewTopic

from botmeter.contracts.topics import Topic
from botmeter.errors import BotmeterError
from botmeter.kafka import clients, questions
from botmeter.kafka.topic_setup import create_topics

from .cluster import Cluster, Place
from .process import PATIENCE_S

#: Of transactions that tests leave open for as long as they like: as long as brokers allow by default.
LASTING_MS: Final = 900_000
_alterations: Final = itertools.count(1)


def alter(cluster: Cluster, topic: Topic, option: str, value: str) -> None:
    """Changes an option of a topic, as an operator would, and waits until it is in force."""
    entry = ConfigEntry(option, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic.name, incremental_configs=[entry])
    with _admin(cluster) as admin:
        [answer] = admin.incremental_alter_configs([resource]).values()
        answer.result(PATIENCE_S)

        def is_known() -> bool:
            [told] = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic.name)]).values()
            return bool(told.result(PATIENCE_S)[option].value == value)

        cluster.await_true(is_known, [], PATIENCE_S, f"{option} did not become {value}")
        # The broker carries out what it gets to know one after the other: with a later change known, this one is done.
        later = f"{topic.name}.{option}.{next(_alterations)}"
        [made] = admin.create_topics([NewTopic(later, num_partitions=1)]).values()
        made.result(PATIENCE_S)
        questions.topic_ids(admin, [later])


def make_anew(cluster: Cluster, *topics: Topic) -> None:
    """Deletes topics with all that is in them, and makes them again."""
    names = [topic.name for topic in topics]
    with clients.make_admin(clients.admin_config({}, cluster.bootstrap_servers)) as admin:
        made = before = questions.topic_ids(admin, names)
        for deleted in admin.delete_topics(names, operation_timeout=PATIENCE_S).values():
            deleted.result()
        deadline = time.monotonic() + PATIENCE_S
        while made.items() & before.items():  # the broker may for a moment not have heard that these are gone
            assert time.monotonic() < deadline, "the topics cannot be made again"
            with suppress(BotmeterError):
                create_topics(admin, cluster.topics.all(), cluster.partitions, 1)
                made = questions.topic_ids(admin, names)


@contextmanager
def open_transaction(cluster: Cluster, topic: Topic) -> Iterator[Producer]:
    """A transaction of somebody else in every partition of the topic, which holds readers back; aborted at the end."""
    config = clients.producer_config({}, cluster.bootstrap_servers, f"{cluster.group}-other", LASTING_MS)
    with clients.make_producer(config) as producer:
        producer.init_transactions(PATIENCE_S)
        producer.begin_transaction()
        for number in range(cluster.partitions):
            producer.produce(topic.name, b"never to be read", partition=number)
        assert producer.flush(PATIENCE_S) == 0
        yield producer
        producer.abort_transaction(PATIENCE_S)


def held_back(cluster: Cluster) -> dict[Place, tuple[int, int]]:
    """Last stable offset and high watermark of each output partition where the two differ: a transaction is open."""
    outputs = [topic for topic in cluster.topics.all() if topic.direction != "in"]
    places = [(topic.name, number) for topic in outputs for number in range(cluster.partitions)]
    with _admin(cluster) as admin:
        stable = _ends(admin, places, IsolationLevel.READ_COMMITTED)
        high = _ends(admin, places, IsolationLevel.READ_UNCOMMITTED)
    return {place: (stable[place], high[place]) for place in places if stable[place] != high[place]}


def _ends(admin: AdminClient, places: list[Place], level: IsolationLevel) -> dict[Place, int]:
    asked = {TopicPartition(*place): _OffsetSpec.latest() for place in places}  # type: ignore[no-untyped-call]

    def ask() -> dict[Place, int]:
        answers = admin.list_offsets(asked, isolation_level=level, request_timeout=PATIENCE_S)
        return {(place.topic, place.partition): answer.result().offset for place, answer in answers.items()}

    return questions.retried(ask, "where the outputs end")


def _admin(cluster: Cluster) -> AdminClient:
    return clients.make_admin(clients.admin_config({}, cluster.bootstrap_servers))
