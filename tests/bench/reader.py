"""Reads answers as another team would, and notes when. A process of its own.

Arguments: brokers, topic. Says `ready`; when its input ends, all pairs of broker's timestamp of the chat and time when
it was read, UTC ms, in one line of JSON.
"""

from __future__ import annotations

import json
import select
import sys
import time
from datetime import datetime
from typing import Any, Final

from confluent_kafka import Consumer, TopicPartition

from botmeter.kafka import clients

from .feeder import EXHAUSTED

END_TIMEOUT_S: Final = 10.0


def main(servers: str, topic: str) -> None:
    """Reads until its input ends."""
    config = clients.reader_config({}, servers, "bench-reader") | {"enable.partition.eof": False}
    found: list[tuple[int, float]] = []
    with clients.make_consumer(config) as consumer:
        _begin_at_the_end(consumer, topic)
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], 0)[0]:
            record = consumer.poll(0.1)
            if record is not None and record.error() is None and record.key() == EXHAUSTED:
                found.append((at_ms(json.loads(record.value() or b"")), time.time() * 1000))
    print(json.dumps(found), flush=True)


def at_ms(answer: dict[str, Any]) -> int:
    """When the broker had the chat, UTC ms: botmeter says it as text, the Streams peer as a number."""
    if "at_ms" in answer:
        return int(answer["at_ms"])
    return round(datetime.fromisoformat(answer["at"]).timestamp() * 1000)


def _begin_at_the_end(consumer: Consumer, topic: str) -> None:
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=END_TIMEOUT_S)
    consumer.assign([TopicPartition(topic, 0, end)])
    consumer.poll(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
