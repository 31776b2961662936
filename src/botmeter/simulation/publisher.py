"""Publishes the traffic to Kafka, at its pace."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from confluent_kafka import KafkaError, Message

from botmeter.kafka import clients
from botmeter.simulation.interruption import Interruption
from botmeter.simulation.pace import Pace
from botmeter.simulation.records import SimulatedRecord
from botmeter.simulation.traffic import Traffic

#: How often records are made and sent: small batches keep the stream even.
TICK_S: Final = 0.02
#: How often progress is reported.
_REPORT_S: Final = 1.0
#: How long to wait for room in the client's queue: as long as a record in it may take to be delivered or to fail.
_ROOM_TIMEOUT_S: Final = 300.0
#: How long the last records may take to be delivered.
_FLUSH_TIMEOUT_S: Final = 30.0


class Publisher:
    """Sends records and counts their results. Used by one thread."""

    def __init__(self, config: clients.Config) -> None:
        """`config` as `clients.simple_producer_config` makes it. Raises ConfigurationError for an unknown option."""
        self._producer = clients.make_producer({**config, "on_delivery": self._delivered})
        #: Records handed to the client, by kind.
        self.sent: Counter[str] = Counter()
        #: Records that were not delivered, by the client's reason.
        self.failed: Counter[str] = Counter()

    def publish(self, records: Iterable[SimulatedRecord]) -> None:
        """Hands records to the client, and waits while its queue is full. Raises TimeoutError when it stays full."""
        for record in records:
            try:
                self._produce(record)
            except BufferError:
                self._await_room(record)
            self.sent[record.kind] += 1

    def serve(self, timeout_s: float) -> None:
        """Serves the client's delivery reports; waits for one at most `timeout_s`."""
        self._producer.poll(max(timeout_s, 0.0))

    def flush(self) -> None:
        """Waits until all records are delivered or have failed, at most 30 s."""
        left = self._producer.flush(_FLUSH_TIMEOUT_S)
        if left:
            self.failed[f"not delivered within {_FLUSH_TIMEOUT_S:.0f} s"] += left

    def close(self) -> None:
        """Closes the client; records that are not delivered by then are lost."""
        self._producer.purge()
        self._producer.close()

    def _produce(self, record: SimulatedRecord) -> None:
        topic, key, value, partition, _ = record
        self._producer.produce(topic, value, key, -1 if partition is None else partition)

    def _await_room(self, record: SimulatedRecord) -> None:
        deadline = time.monotonic() + _ROOM_TIMEOUT_S
        while True:
            self._producer.poll(TICK_S)
            try:
                return self._produce(record)
            except BufferError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the broker took no record for {_ROOM_TIMEOUT_S:.0f} s") from None

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failed[f"{message.topic()}: {error.str()}"] += 1


def publish_traffic(
    publisher: Publisher,
    traffic: Traffic,
    pace: Pace,
    *,
    count: float,
    duration_s: float,
    interruption: Interruption,
    report: Callable[[float, float], None],
) -> None:
    """Publishes until `count` records are sent, `duration_s` is over (either may be infinite) or Ctrl-C is pressed.

    About once a second, `report` is called with the seconds so far and the wanted rate.
    """
    begun, sent, reported_s = time.monotonic(), 0, 0.0
    while not interruption.has_come:
        elapsed_s = time.monotonic() - begun
        if elapsed_s >= duration_s or sent >= count:
            return
        due = int(min(pace.due(elapsed_s), count - sent))
        publisher.publish(traffic.take(due, time.time_ns() // 1_000_000, pace.day_ms(elapsed_s)))
        sent += due
        if elapsed_s - reported_s >= _REPORT_S:
            reported_s = elapsed_s
            report(elapsed_s, pace.rate(elapsed_s))
        publisher.serve(begun + elapsed_s + TICK_S - time.monotonic())
