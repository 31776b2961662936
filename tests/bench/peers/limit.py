"""Reads and does nothing else: what no engine on this client can surpass.

Arguments: brokers, group, input topic, records a session (not used), then topics it leaves empty.
"""

from __future__ import annotations

import signal
import sys
import time

from confluent_kafka import Consumer

from botmeter.kafka import clients

BATCH: int = 20_000
COMMIT_INTERVAL_S: float = 0.1


def main(servers: str, group: str, topic: str) -> None:
    """Runs until it is told to stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = clients.consumer_config({}, servers, group) | {
        "auto.offset.reset": "earliest",
        "enable.partition.eof": False,
    }
    consumer = Consumer(config | {"enable.auto.offset.store": True})
    consumer.subscribe([topic])
    committed_at = time.monotonic()
    read = 0
    while True:
        read += len(consumer.consume(BATCH, timeout=0.05))
        if read and time.monotonic() - committed_at > COMMIT_INTERVAL_S:
            consumer.commit(asynchronous=False)
            committed_at, read = time.monotonic(), 0


if __name__ == "__main__":
    main(*sys.argv[1:4])
