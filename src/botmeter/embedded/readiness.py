"""Waits until a broker is ready, also for groups and transactions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

#: How long one request waits for its answer before the caller checks whether the broker still runs.
REQUEST_TIMEOUT_S = 0.5

#: Far more than a broker that answers needs to create two topics.
CREATION_TIMEOUT_S = 30


def await_broker(
    bootstrap_servers: str, *, cluster_id: str, timeout_ms: int, between_attempts: Callable[[], None], node_id: int = 1
) -> None:
    """Returns once the broker lists itself as a member of its cluster: from then on it accepts records.

    Args:
        bootstrap_servers: the address of the broker.
        cluster_id: of the expected broker; another one may have taken its port.
        timeout_ms: how long to try.
        node_id: of the expected broker.
        between_attempts: called after each failed attempt; an error that it raises ends the waiting.

    Raises:
        TimeoutError: the broker did not answer in time.
    """
    admin = AdminClient(
        {
            "bootstrap.servers": bootstrap_servers,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 100,
            "log_level": 0,  # refused connections are expected until the broker listens
        }
    )
    deadline = time.monotonic() + timeout_ms / 1000
    while not _answers(admin, cluster_id, node_id):
        between_attempts()
        if time.monotonic() > deadline:
            raise TimeoutError(f"no answer from {bootstrap_servers} within {timeout_ms} ms")


def create_internal_topics(bootstrap_servers: str, properties: Mapping[str, str]) -> None:
    """Creates the topics of groups and transactions as a new broker would for its first client.

    Creating them takes 0.1 s. Otherwise the first client would have to retry, and lose 3 s for a group and 1 s for a
    transaction.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 4})  # warnings only
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
        cluster = admin.list_topics(timeout=REQUEST_TIMEOUT_S)
    except KafkaException:
        return False
    return cluster.cluster_id == cluster_id and node_id in cluster.brokers
