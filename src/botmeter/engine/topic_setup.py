"""Topics as the contract wants them: create what is missing, say what differs. Nothing that exists is altered.

Altering is left to a person because it loses data (retention, clean-up) or moves accounts to other partitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic

from botmeter.contracts.topics import Topic
from botmeter.engine.kafka import REQUEST_TIMEOUT_S, cause, classify, retried
from botmeter.errors import ClusterError

#: Until the brokers know a new topic.
CREATE_TIMEOUT_S: Final = 30.0
#: More than wanted does no harm.
_AT_LEAST: Final = ("retention.ms", "max.message.bytes")
_FOREVER: Final = "-1"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing of a topic that is not as the contract wants it."""

    what: str
    is_: str
    wanted: str
    remedy: str

    @property
    def stops_the_worker(self) -> bool:
        """Whether it would make billing wrong; records kept too short a time only hurt who reads late."""
        return self.what != "retention.ms" or self.wanted == _FOREVER

    def __str__(self) -> str:
        return f"{self.what} is {self.is_}, should be {self.wanted}"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one topic."""

    topic: str
    state: Literal["ok", "created", "missing", "differs"]
    differences: tuple[Difference, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in ("ok", "created")
