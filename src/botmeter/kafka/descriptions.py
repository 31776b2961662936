"""Descriptions of a cluster: its brokers and their settings, replicas, groups, and the operations we are allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from botmeter.errors import PermissionMissing
from botmeter.kafka import clients
from botmeter.kafka.errors import cause, classify
from botmeter.kafka.questions import REQUEST_TIMEOUT_S, retried

#: The client that the functions here take.
Admin = AdminClient


@dataclass(frozen=True, slots=True)
class ClusterDescription:
    """The brokers, and the operations we may do on the cluster (empty where the broker does not report them)."""

    cluster_id: str
    brokers: Mapping[int, str]
    operations: frozenset[str]


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """A topic's partitions by number, as (replicas, replicas in sync), and the operations we may do on it."""

    replicas: Mapping[int, tuple[int, int]]
    without_leader: tuple[int, ...]
    operations: frozenset[str]


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """A consumer group: its state, its members' names and the partitions each has."""

    state: str
    members: Mapping[str, tuple[tuple[str, int], ...]]
    operations: frozenset[str]


def client_versions() -> str:
    """Returns the versions of the client library."""
    return f"confluent-kafka {confluent_kafka.__version__}, librdkafka {confluent_kafka.libversion()[0]}"


def describe_cluster(admin: AdminClient) -> ClusterDescription:
    """Describes the cluster. Raises ClusterError, Retriable."""

    def request() -> ClusterDescription:
        future = admin.describe_cluster(include_authorized_operations=True, request_timeout=REQUEST_TIMEOUT_S)
        found = future.result()
        brokers = {node.id: f"{node.host}:{node.port}" for node in found.nodes}
        return ClusterDescription(str(found.cluster_id), brokers, _names(found.authorized_operations))

    return retried(request, "the cluster")


def describe_topic(admin: AdminClient, name: str) -> TopicDescription:
    """Describes one topic. Raises ClusterError, Retriable."""

    def request() -> TopicDescription:
        answers = admin.describe_topics(
            TopicCollection([name]), include_authorized_operations=True, request_timeout=REQUEST_TIMEOUT_S
        )
        found = answers[name].result()
        return TopicDescription(
            {each.id: (len(each.replicas), len(each.isr)) for each in found.partitions},
            tuple(each.id for each in found.partitions if each.leader is None or each.leader.id < 0),
            _names(found.authorized_operations),
        )

    return retried(request, f"topic {name}")


def describe_group(admin: AdminClient, group: str) -> GroupDescription:
    """Describes one consumer group. Raises ClusterError, Retriable."""

    def request() -> GroupDescription:
        answers = admin.describe_consumer_groups(
            [group], include_authorized_operations=True, request_timeout=REQUEST_TIMEOUT_S
        )
        found = answers[group].result()
        members = {
            f"{each.client_id} at {each.host} ({each.member_id})": tuple(
                (str(place.topic), int(place.partition)) for place in each.assignment.topic_partitions
            )
            for each in found.members
        }
        return GroupDescription(found.state.name.lower(), members, _names(found.authorized_operations))

    return retried(request, f"group {group}")


def has_authorizer(admin: AdminClient) -> bool:
    """Returns whether the brokers check permissions at all. Raises ClusterError, Retriable."""
    anything = AclBindingFilter(
        ResourceType.ANY,
        None,  # type: ignore[arg-type] # any, says its documentation; so do the other two
        ResourcePatternType.ANY,
        None,  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        AclOperation.ANY,
        AclPermissionType.ANY,
    )

    def request() -> bool:
        try:
            admin.describe_acls(anything, request_timeout=REQUEST_TIMEOUT_S).result()
        except KafkaException as exception:
            code = cause(exception).code()
            if code == KafkaError.SECURITY_DISABLED:
                return False
            if code != KafkaError.CLUSTER_AUTHORIZATION_FAILED:
                raise
        return True

    return retried(request, "permissions")


def topic_operations(admin: AdminClient, names: Iterable[str]) -> dict[str, frozenset[str] | None]:
    """Returns the operations we may do on each topic; None where unknown, as for a topic that does not exist.

    Raises ClusterError, Retriable.
    """
    topics = sorted(set(names))

    def request() -> dict[str, frozenset[str] | None]:
        answers = admin.describe_topics(
            TopicCollection(topics), include_authorized_operations=True, request_timeout=REQUEST_TIMEOUT_S
        )
        return {name: _topic_operations(admin, name, answers[name]) for name in topics}

    return retried(request, "topics") if topics else {}


def _topic_operations(admin: AdminClient, name: str, answer: Future[Any]) -> frozenset[str] | None:
    try:
        return _names(answer.result().authorized_operations) or None
    except KafkaException as exception:
        code = cause(exception).code()
        if code == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        if code != KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise
    # Permission to read or write includes DESCRIBE. Without DESCRIBE, only DESCRIBE_CONFIGS can be left.
    return frozenset({"DESCRIBE_CONFIGS"} if _may_describe_configs(admin, name) else ())


def _may_describe_configs(admin: AdminClient, topic: str) -> bool:
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    [answer] = admin.describe_configs([resource], request_timeout=REQUEST_TIMEOUT_S).values()
    try:
        answer.result()
    except KafkaException as exception:
        code = cause(exception).code()
        if code not in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART):
            raise
        return code != KafkaError.TOPIC_AUTHORIZATION_FAILED
    return True


def group_operations(admin: AdminClient, group: str) -> frozenset[str] | None:
    """Returns the operations we may do on a group; None where unknown. Raises ClusterError, Retriable."""
    try:
        return describe_group(admin, group).operations or None
    except PermissionMissing:  # permission to join includes DESCRIBE, as with a topic
        return frozenset()


def broker_settings(admin: AdminClient, broker: int) -> dict[str, str]:
    """Returns a broker's settings by name, defaults included. Raises ClusterError, Retriable."""

    def request() -> dict[str, str]:
        resource = ConfigResource(ConfigResource.Type.BROKER, str(broker))
        [answer] = admin.describe_configs([resource], request_timeout=REQUEST_TIMEOUT_S).values()
        return {entry.name: entry.value or "" for entry in answer.result().values()}

    return retried(request, f"the settings of broker {broker}")


def require_transactions(config: clients.Config) -> None:
    """Returns if this producer may begin transactions under its transactional id; writes nothing.

    Raises ClusterError, Retriable.
    """
    # Closing a producer that was refused fails too, so it is left to the garbage collector.
    producer = clients.make_producer(config)
    try:
        producer.init_transactions(2 * REQUEST_TIMEOUT_S)
    except KafkaException as exception:
        raise classify(cause(exception), str(config["transactional.id"])) from exception


def _names(operations: Iterable[AclOperation] | None) -> frozenset[str]:
    return frozenset(operation.name for operation in operations or ())
