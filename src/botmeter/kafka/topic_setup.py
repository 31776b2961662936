"""Sets up topics as the contract requires: creates missing topics, reports differences, fixes settings on request.

An existing topic is only altered on request. The number of partitions is never altered: accounts would move.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.cimpl import NewTopic

from botmeter.contracts.topics import Direction, Topic
from botmeter.errors import ClusterError
from botmeter.kafka.errors import cause, classify
from botmeter.kafka.questions import REQUEST_TIMEOUT_S, retried, topic_ids

#: The controller of a large cluster takes its time.
CREATE_TIMEOUT_S: Final = 30.0
#: A larger value than wanted does no harm.
_AT_LEAST: Final = ("retention.ms", "max.message.bytes", "message.timestamp.before.max.ms")
#: A smaller value than wanted does no harm.
_AT_MOST: Final = ("segment.bytes",)
#: Brokers before 3.6 do not know these, and do not need them.
_NEWER: Final = ("message.timestamp.before.max.ms",)
_FOREVER: Final = "-1"
_PARTITIONS: Final = "the number of partitions"


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting of a topic that is not as the contract requires."""

    topic: str
    what: str
    found: str
    wanted: str
    direction: Direction = "out"

    @property
    def stops_the_worker(self) -> bool:
        """Whether billing would be wrong with it.

        Records kept for too short a time only affect late readers. Segments and timestamps of the snapshots only affect
        how long a restore takes and when the cycle of an account without traffic is rolled. Partitions that an output
        was given later stay empty.
        """
        if self.what == _PARTITIONS:
            return self.direction == "in" or int(self.found) < int(self.wanted)
        if self.what == "retention.ms":
            return self.wanted == _FOREVER
        return not (self.direction == "internal" and self.what in ("segment.bytes", "message.timestamp.type"))

    @property
    def can_be_fixed(self) -> bool:
        """Whether `fix_settings` can fix it: it can set settings, but not the number of partitions."""
        return self.what != _PARTITIONS

    def remedy(self, bootstrap_servers: str) -> str:
        """Returns what to do about it, with the exact command where there is one."""
        if self.what == _PARTITIONS:
            return (
                f"another number would move accounts to other partitions: set BOTMETER_PARTITIONS={self.found} if all "
                "topics have so many; a topic that was given more: docs/runbook.md, 'More partitions'; while the topic "
                "is empty, delete it and run: botmeter topics create"
            )
        return (
            f"run: kafka-configs.sh --bootstrap-server {bootstrap_servers} --alter --entity-type topics "
            f"--entity-name {self.topic} --add-config {self.what}={self.wanted}"
        )

    def __str__(self) -> str:
        return f"{self.what} is {self.found}, should be {self.wanted}"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of checking one topic."""

    topic: str
    state: Literal["ok", "created", "missing", "differs"]
    differences: tuple[Difference, ...] = ()

    @property
    def is_ok(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in ("ok", "created")


def create_topics(
    admin: AdminClient, topics: Iterable[Topic], partitions: int, replication_factor: int
) -> list[Finding]:
    """Creates the topics that are missing and checks the others.

    Args:
        admin: allowed to create topics and to describe their configuration.
        topics: as the contract requires them.
        partitions: of each of them.
        replication_factor: of new ones; -1 is the broker's default.

    Raises:
        ClusterError: the broker refuses.
        Retriable: the broker does not answer.
    """
    findings = []
    for topic in topics:
        finding = _check(admin, topic, partitions)
        if finding.state == "missing":
            is_created = _create(admin, topic, partitions, replication_factor)
            finding = Finding(topic.name, "created") if is_created else _check(admin, topic, partitions)
        findings.append(finding)
    return findings


def check_topics(admin: AdminClient, topics: Iterable[Topic], partitions: int) -> list[Finding]:
    """Compares each topic with the contract. Raises ClusterError, Retriable."""
    return [_check(admin, topic, partitions) for topic in topics]


def require_topics(admin: AdminClient, topics: Iterable[Topic], partitions: int) -> None:
    """Returns if the worker can do its work with the topics as they are.

    Raises:
        ClusterError: names the first topic that is missing or wrong, and the command that fixes it.
        Retriable: the broker does not answer.
    """
    for finding in check_topics(admin, topics, partitions):
        if finding.state == "missing":
            raise ClusterError(f"topic {finding.topic} is missing; run: botmeter topics create")
        for difference in finding.differences:
            if difference.stops_the_worker:
                raise ClusterError(f"topic {finding.topic}: {difference}; see: botmeter topics create")


def fix_settings(admin: AdminClient, differences: Iterable[Difference]) -> None:
    """Sets each setting to the wanted value, all of one topic in one request. The number of partitions stays.

    Raises:
        ClusterError: the broker refuses.
        Retriable: the broker does not answer.
    """
    wanted: dict[str, list[ConfigEntry]] = {}
    for difference in differences:
        if difference.can_be_fixed:
            entry = ConfigEntry(difference.what, difference.wanted, incremental_operation=AlterConfigOpType.SET)
            wanted.setdefault(difference.topic, []).append(entry)
    for topic, entries in wanted.items():
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
        [answer] = admin.incremental_alter_configs([resource], request_timeout=CREATE_TIMEOUT_S).values()
        try:
            answer.result()
        except KafkaException as exception:
            raise classify(cause(exception), f"ALTER_CONFIGS on topic {topic}") from exception


def _create(admin: AdminClient, topic: Topic, partitions: int, replication_factor: int) -> bool:
    """Creates a topic and waits until the brokers know it; returns False when another client created it first."""
    is_created = True
    try:
        _request_topic(admin, topic.name, partitions, replication_factor, topic.config)
    except KafkaException as exception:
        if cause(exception).code() == KafkaError.TOPIC_ALREADY_EXISTS:
            is_created = False
        elif cause(exception).code() == KafkaError.INVALID_CONFIG and set(_NEWER) & topic.config.keys():
            older = {option: value for option, value in topic.config.items() if option not in _NEWER}
            return _create(admin, replace(topic, config=older), partitions, replication_factor)
        else:
            raise classify(cause(exception), f"CREATE on topic {topic.name}") from exception
    topic_ids(admin, [topic.name])
    return is_created


def _request_topic(
    admin: AdminClient, name: str, partitions: int, replication_factor: int, config: Mapping[str, str]
) -> None:
    new = NewTopic(name, num_partitions=partitions, replication_factor=replication_factor, config=dict(config))
    [answer] = admin.create_topics([new], request_timeout=CREATE_TIMEOUT_S).values()
    answer.result()


def _check(admin: AdminClient, topic: Topic, wanted_partitions: int) -> Finding:
    about = f"topic {topic.name}"
    partitions = retried(lambda: _partitions_of(admin, topic.name), about)
    if partitions is None:
        return Finding(topic.name, "missing")
    differences = []
    if partitions != wanted_partitions:
        found = str(partitions)
        differences.append(Difference(topic.name, _PARTITIONS, found, str(wanted_partitions), topic.direction))
    config = retried(lambda: _config_of(admin, topic.name), about)
    for option, wanted in topic.config.items():
        value = config.get(option) or "unset"
        is_known = option in config or option not in _NEWER
        if is_known and not _suffices(option, value, wanted):
            differences.append(Difference(topic.name, option, value, wanted, topic.direction))
    return Finding(topic.name, "differs" if differences else "ok", tuple(differences))


def _partitions_of(admin: AdminClient, name: str) -> int | None:
    """Returns the number of partitions of a topic, None if there is no such topic."""
    answers = admin.describe_topics(TopicCollection([name]), request_timeout=REQUEST_TIMEOUT_S)
    try:
        return len(answers[name].result().partitions)
    except KafkaException as exception:
        if cause(exception).code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise
    return None


def _config_of(admin: AdminClient, name: str) -> dict[str, str | None]:
    [answer] = admin.describe_configs(
        [ConfigResource(ConfigResource.Type.TOPIC, name)], request_timeout=REQUEST_TIMEOUT_S
    ).values()
    return {entry.name: entry.value for entry in answer.result().values()}


def _suffices(option: str, value: str, wanted: str) -> bool:
    if value == wanted:
        return True
    if option in _AT_MOST and value.isdigit():
        return int(value) <= int(wanted)
    if option not in _AT_LEAST or not value.lstrip("-").isdigit():
        return False
    return value == _FOREVER or (wanted != _FOREVER and int(value) > int(wanted))
