"""What a cluster says of itself: its brokers and their settings, replicas, groups, and what we are allowed to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import confluent_kafka
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclOperation
from confluent_kafka.admin._config import ConfigResource

from botmeter.kafka import clients
from botmeter.kafka.errors import cause, classify
from botmeter.kafka.questions import REQUEST_TIMEOUT_S, retried

#: The client that asks.
Admin = AdminClient


@dataclass(frozen=True, slots=True)
class ClusterDescription:
    """The brokers, and what we may do on the cluster (empty where the broker does not say)."""

    cluster_id: str
    brokers: Mapping[int, str]
    operations: frozenset[str]


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """A topic's partitions by number: replicas and how many of them are in sync; what we may do with it."""

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
    """Of the client library."""
    return f"confluent-kafka {confluent_kafka.__version__}, librdkafka {confluent_kafka.libversion()[0]}"


def describe_cluster(admin: AdminClient) -> ClusterDescription:
    """Raises ClusterError, Retriable."""

    def ask() -> ClusterDescription:
        future = admin.describe_cluster(include_authorized_operations=True, request_timeout=REQUEST_TIMEOUT_S)
        found = future.result()
        brokers = {node.id: f"{node.host}:{node.port}" for node in found.nodes}
        return ClusterDescription(str(found.cluster_id), brokers, _names(found.authorized_operations))

    return retried(ask, "the cluster")


def describe_topic(admin: AdminClient, name: str) -> TopicDescription:
    """Raises ClusterError, Retriable."""

    def ask() -> TopicDescription:
        answers = admin.describe_topics(
            TopicCollection([name]), include_authorized_operations=True, request_timeout=REQUEST_TIMEOUT_S
        )
        found = answers[name].result()
        return TopicDescription(
            {each.id: (len(each.replicas), len(each.isr)) for each in found.partitions},
            tuple(each.id for each in found.partitions if each.leader is None or each.leader.id < 0),
            _names(found.authorized_operations),
        )

    return retried(ask, f"topic {name}")


def describe_group(admin: AdminClient, group: str) -> GroupDescription:
    """Raises ClusterError, Retriable."""

    def ask() -> GroupDescription:
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

    return retried(ask, f"group {group}")


def broker_settings(admin: AdminClient, broker: int) -> dict[str, str]:
    """A broker's settings by name, defaults included. Raises ClusterError, Retriable."""

    def ask() -> dict[str, str]:
        resource = ConfigResource(ConfigResource.Type.BROKER, str(broker))
        [answer] = admin.describe_configs([resource], request_timeout=REQUEST_TIMEOUT_S).values()
        return {entry.name: entry.value or "" for entry in answer.result().values()}

    return retried(ask, f"the settings of broker {broker}")


def require_transactions(config: clients.Config) -> None:
    """Returns if transactions may be begun under the transactional id of this producer; writes nothing.

    Raises ClusterError, Retriable.
    """
    producer = clients.make_producer(
        config
    )  # not closed: one that was refused fails in that too; it goes with its name
    try:
        producer.init_transactions(2 * REQUEST_TIMEOUT_S)
    except KafkaException as exception:
        raise classify(cause(exception), str(config["transactional.id"])) from exception


def _names(operations: Iterable[AclOperation] | None) -> frozenset[str]:
    return frozenset(operation.name for operation in operations or ())
