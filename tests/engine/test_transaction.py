"""Where the cluster does not answer, a worker without a producer asks again, with a pause between."""

from __future__ import annotations

from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from botmeter.clock import Clock
from botmeter.contracts.topics import Topics
from botmeter.engine.broker_time import BrokerTime
from botmeter.engine.transaction import Transaction
from memory_kafka.sides import MemorySide

REFUSALS: Final = 5


class Waits(Clock):
    """Does not sleep, and remembers for how long it should have."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Refused:
    """A producer that finds no coordinator who knows its name."""

    def init_transactions(self, *_: object) -> None:
        raise KafkaException(KafkaError(KafkaError.UNKNOWN))

    def close(self) -> None:
        """There is nothing to release."""


def test_a_new_producer_is_asked_for_again_with_a_pause_until_there_is_one() -> None:
    side, clock, made = MemorySide(), Waits(), list[Any]()

    def make(_: object) -> Producer:
        made.append(Refused() if len(made) < REFUSALS else side.producer("worker"))
        producer: Producer = made[-1]
        return producer

    transaction = Transaction(make, Topics.named(), 15.0, BrokerTime(clock, 1_000), clock, lambda: 0)
    transaction.reopen()
    transaction.close()

    assert len(made) == REFUSALS + 1
    assert len(clock.slept) == REFUSALS
    assert min(clock.slept) > 0.1
