"""Listens at the end of a topic for a while: when records arrive, by the broker's clock and by this process's clock."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final

from confluent_kafka import OFFSET_END, KafkaError, TopicPartition

from botmeter.errors import ClusterError
from botmeter.kafka import clients
from botmeter.kafka.errors import END_OF_PARTITION, classify

_POLL_S: Final = 0.1
#: More records would not change the estimate of the skew.
_ENOUGH: Final = 1_000


def arrivals(
    config: clients.Config, topic: str, partitions: Iterable[int], listen_s: float
) -> Iterator[tuple[int, int]]:
    """Yields, for each record that arrives within `listen_s`, its timestamp and when it was received, both UTC ms.

    Raises ClusterError when this client may not read the topic.
    """
    deadline, left = time.monotonic() + listen_s, _ENOUGH
    with clients.make_consumer({**config, "isolation.level": "read_uncommitted"}) as consumer:
        consumer.assign([TopicPartition(topic, number, OFFSET_END) for number in partitions])
        while left and time.monotonic() < deadline:
            message = consumer.poll(_POLL_S)
            if message is None:
                continue
            if (error := message.error()) is not None:
                _require_transient(error, topic)
                continue
            left -= 1
            yield message.timestamp()[1], time.time_ns() // 1_000_000


def _require_transient(error: KafkaError, topic: str) -> None:
    """Raises what an operator must fix; the client recovers from everything else by itself."""
    if error.code() != END_OF_PARTITION and isinstance(fault := classify(error, topic), ClusterError):
        raise fault
