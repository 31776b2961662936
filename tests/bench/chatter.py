"""Interactions of given accounts at an even rate; one in twenty opens a session. A process of its own.

Arguments: brokers, topic, accounts, interactions a second, seconds. Says `begun`; at the end how many were sent.
"""

from __future__ import annotations

import json
import sys
import time
from random import Random
from typing import Final

from botmeter.kafka import clients
from worker.traffic import interaction

#: Their end-users have sessions already.
KNOWN: Final = 100
_NEW_ONE_IN: Final = 20
_TICK_S: Final = 0.002


def account_name(number: int) -> str:
    return f"bench-{number}"


def main(servers: str, topic: str, accounts: int, rate: float, lasting_s: float) -> None:
    """Writes until the time is over."""
    dice, total, sent = Random(3), int(rate * lasting_s), 0
    with clients.make_producer(clients.simple_producer_config({"linger.ms": "1"}, servers)) as producer:
        print("begun", flush=True)
        begun_s = time.perf_counter()
        while sent < total:
            due = min(total, int((time.perf_counter() - begun_s) * rate))
            for number in range(sent, due):
                account = account_name(dice.randrange(accounts))
                user = f"new-{number}" if number % _NEW_ONE_IN == 0 else f"u-{dice.randrange(KNOWN)}"
                value = json.dumps(interaction(account, user, event_id=f"chatter-{number}"))
                producer.produce(topic, value, account)
            sent = due
            producer.poll(0)
            time.sleep(_TICK_S)
        producer.flush()
        print(f"{sent} interactions in {time.perf_counter() - begun_s:.1f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]))
