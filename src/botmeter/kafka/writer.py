"""A producer of few records, for callers that have no transaction of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from botmeter.contracts.cloudevents import Headers
from botmeter.errors import Retriable
from botmeter.kafka.clients import Config, make_producer
from botmeter.kafka.errors import cause, classify

#: Long enough for the restart of a broker. The caller writes again what is not acknowledged by then.
_ACKNOWLEDGED_WITHIN_S: Final = 30.0


class Written(NamedTuple):
    """A record to write; its key decides the partition."""

    key: bytes
    value: bytes
    headers: Headers


class Writer:
    """Writes to one topic."""

    def __init__(self, config: Config, topic: str) -> None:
        self._producer: Producer = make_producer({**config, "message.timeout.ms": int(_ACKNOWLEDGED_WITHIN_S * 1000)})
        self._topic = topic

    def write(self, records: Iterable[Written]) -> None:
        """Returns when the brokers have all records; raises otherwise, and then some may have been written.

        Raises Retriable, or ClusterError for what an operator must fix.
        """
        faults: list[KafkaError] = []

        def delivered(error: KafkaError | None, message: Message) -> None:
            del message
            if error is not None:
                faults.append(error)

        try:
            for record in records:
                self._producer.produce(
                    self._topic, record.value, record.key, headers=record.headers, on_delivery=delivered  # type: ignore[arg-type] # a list of pairs is what it takes
                )  # fmt: skip
            left = self._producer.flush(_ACKNOWLEDGED_WITHIN_S)
        except BufferError as error:
            raise Retriable(f"{self._topic}: too many records wait for the broker") from error
        except KafkaException as exception:
            raise classify(cause(exception), self._topic) from exception
        if faults:
            raise classify(faults[0], self._topic)
        if left:
            raise Retriable(f"{self._topic}: the broker did not acknowledge in time")
