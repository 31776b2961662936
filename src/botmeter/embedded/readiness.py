"""Is a broker ready? Asked of the broker itself."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

#: How long one question waits for its answer before the caller looks whether somebody is there to give it.
QUESTION_TIMEOUT_S = 0.5


def await_broker(
    bootstrap_servers: str, *, cluster_id: str, timeout_ms: int, between_questions: Callable[[], None]
) -> None:
    """Return once the broker names itself as a member of its cluster: from then on it takes records.

    Args:
        bootstrap_servers: where to ask.
        cluster_id: of the broker that is meant; another one may have taken its port.
        timeout_ms: how long to go on asking.
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
    while not _answers(admin, cluster_id):
        between_questions()
        if time.monotonic() > deadline:
            raise TimeoutError(f"no answer from {bootstrap_servers} within {timeout_ms} ms")


def _answers(admin: AdminClient, cluster_id: str) -> bool:
    try:
        cluster = admin.list_topics(timeout=QUESTION_TIMEOUT_S)
    except KafkaException:
        return False
    return cluster.cluster_id == cluster_id and bool(cluster.brokers)
