"""Feeds mixed traffic at an even rate, among it chats of an account without sessions. A process of its own.

Arguments: brokers, topic, records a second, seconds. Says `begun`; at the end `[records, seconds]`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Final

from botmeter.kafka import clients

from .traffic import Accounts, Keyed, Mix, interactions, scattered, template

#: The account whose chats are handed off, each once.
EXHAUSTED: Final = b"account-100000"
#: As often as needed for percentiles, and seldom enough not to be the traffic.
LEAST_CHATS_A_SECOND: Final = 50
CHATS_SHARE: Final = 0.01
#: Records are written at least so often, however low the rate.
TICK_S: Final = 0.002
#: End-users that no backlog has.
FIRST_USER: Final = 100_000_000


def main(servers: str, topic: str, rate: int, feed_s: float) -> None:
    """Writes until the time is over."""
    total = int(rate * feed_s)
    records = traffic(total, rate)
    with clients.make_producer(clients.simple_producer_config({"linger.ms": "1"}, servers)) as producer:
        print("begun", flush=True)
        began, sent = time.monotonic(), 0
        while sent < total:
            due = min(total, int((time.monotonic() - began) * rate))
            for _ in range(due - sent):
                key, value, _partition = next(records)
                producer.produce(topic, value, key, 0)
            sent = due
            producer.poll(0)
            time.sleep(TICK_S)
        producer.flush()
        print(json.dumps([sent, time.monotonic() - began]), flush=True)


def traffic(total: int, rate: int) -> Iterator[Keyed]:
    """One record in 20 opens a session; here and there stands a chat of the exhausted account."""
    every = max(2, rate // max(LEAST_CHATS_A_SECOND, int(rate * CHATS_SHARE)))
    whole = total + -total % 20
    chat, number = template("end_user"), int(EXHAUSTED.rpartition(b"-")[2])
    for place, record in zip(range(total), interactions(Mix(20), whole, Accounts(1), FIRST_USER), strict=False):
        id_ = scattered(2 * FIRST_USER + place)
        yield (EXHAUSTED, chat % (id_, number, id_, id_), 0) if place % every == 0 else record


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
