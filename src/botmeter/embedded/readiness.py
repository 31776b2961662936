"""Is a broker ready, for groups and transactions too? Asked of the broker itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

#: How long one question waits for its answer before the caller looks whether somebody is there to give it.
QUESTION_TIMEOUT_S = 0.5

#: Far more than a broker that answers needs to create two topics.
CREATION_TIMEOUT_S = 30


def await_broker(
    bootstrap_servers: str, *, cluster_id: str, timeout_ms: int, between_questions: Callable[[], None], node_id: int = 1
) -> None:
    """Return once the broker names itself as a member of its cluster: from then on it takes records.

    Args:
        bootstrap_servers: where to ask.
        cluster_id: of the broker that is meant; another one may have taken its port.
        timeout_ms: how long to go on asking.
        node_id: of the broker that is meant.
        between_questions: called after each vain question; what it raises ends the waiting.

    Raises:
        TimeoutError: the broker did not answer in time.
    """
    admin = AdminClient(
        {
            "bootstrap.servers": bootstrap_servers,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 100,
            "log_level": 0,  # that nobody listens yet is no news
        }
    )
    deadline = time.monotonic() + timeout_ms / 1000
    while not _answers(admin, cluster_id, node_id):
        between_questions()
        if time.monotonic() > deadline:
            raise TimeoutError(f"no answer from {bootstrap_servers} within {timeout_ms} ms")


def create_internal_topics(bootstrap_servers: str, properties: Mapping[str, str]) -> None:
    """Create the topics of groups and transactions as a new broker would when the first client asks for one.

    Creating them takes 0.1 s; that client would be told to come back, and lose 3 s for a group and 1 s for a
    transaction.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 4})  # warnings, no chat
    of_groups = NewTopic(
        "__consumer_offsets",
        num_partitions=int(properties["offsets.topic.num.partitions"]),
        config={"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": "104857600"},
    )
    of_transactions = NewTopic(
        "__transaction_state",
        num_partitions=int(properties["transaction.state.log.num.partitions"]),
        config={"cleanup.policy": "compact", "segment.bytes": "104857600"},
    )
    for created in admin.create_topics([of_groups, of_transactions]).values():
        created.result(timeout=CREATION_TIMEOUT_S)


def _answers(admin: AdminClient, cluster_id: str, node_id: int) -> bool:
    try:
        cluster = admin.list_topics(timeout=QUESTION_TIMEOUT_S)
    except KafkaException:
        return False
    return cluster.cluster_id == cluster_id and node_id in cluster.brokers
