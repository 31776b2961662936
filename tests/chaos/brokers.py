"""Three brokers to be mistreated, and what must be known of them to do so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from confluent_kafka.admin import AdminClient

from botmeter.embedded import EmbeddedCluster
from botmeter.embedded.cluster import ClusterNode
from worker.cluster import Cluster, Place
from worker.process import PATIENCE_S
from worker.proxy import Proxy

#: The broker that a worker reaches through the proxy alone, when it is told `servers_by_proxy`.
FAR: Final = 3
_PROPERTIES: Final = {
    # Transactions past their time are looked for more often than every 10 s.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    # Members of KIP-848, too, are missed soon.
    "group.consumer.session.timeout.ms": "2000",
    "group.consumer.heartbeat.interval.ms": "300",
}


class Brokers:
    """A cluster of three, each with a copy of everything; any one may be away."""

    def __init__(self, cluster: EmbeddedCluster, proxy: Proxy) -> None:
        self._cluster, self.proxy = cluster, proxy
        self._admin = AdminClient({"bootstrap.servers": cluster.direct_servers, "log_level": 0})

    @property
    def servers(self) -> str:
        return self._cluster.direct_servers

    @property
    def servers_by_proxy(self) -> str:
        """For those who are to reach the node FAR through the proxy alone."""
        return ",".join(node.bootstrap_servers for node in self._cluster.nodes if node.node_id != FAR)

    @property
    def nodes(self) -> list[ClusterNode]:
        return list(self._cluster.nodes)

    def mended(self) -> None:
        """All run, whatever befell them."""
        self.proxy.release()
        for node in self.nodes:
            node.resume()
            if node.pid is None:
                node.start()

    def are_in_sync(self) -> bool:
        """Whether every broker has all that is written: any one may be away from now on."""
        topics = self._admin.list_topics(timeout=PATIENCE_S).topics.values()
        partitions = [partition for topic in topics for partition in topic.partitions.values()]
        return all(partition.leader > 0 and len(partition.isrs) == len(partition.replicas) for partition in partitions)

    def leader(self, place: Place) -> ClusterNode:
        name, number = place
        return self.nodes[self._admin.list_topics(name, timeout=PATIENCE_S).topics[name].partitions[number].leader - 1]

    def transaction_coordinator(self, transactional_id: str) -> ClusterNode:
        return self._coordinator("__transaction_state", transactional_id)

    def group_coordinator(self, group: str) -> ClusterNode:
        return self._coordinator("__consumer_offsets", group)

    def _coordinator(self, topic: str, name: str) -> ClusterNode:
        partitions = len(self._admin.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions)
        return self.leader((topic, _java_hash(name) % partitions))

    def segments(self, place: Place) -> list[Path]:
        """The files in which the leader of a partition keeps its records, in the order of the offsets."""
        return sorted((self.leader(place).directory / "data" / f"{place[0]}-{place[1]}").glob("*.log"))


@contextmanager
def three_brokers() -> Iterator[Brokers]:
    with (
        Proxy() as proxy,
        EmbeddedCluster(brokers=3, properties=_PROPERTIES, advertised_ports={FAR: proxy.port}) as cluster,
    ):
        proxy.target = cluster.nodes[FAR - 1].clients_port
        yield Brokers(cluster, proxy)


def await_in_sync(brokers: Brokers, cluster: Cluster) -> None:
    cluster.await_true(brokers.are_in_sync, [], PATIENCE_S, "the brokers do not come to the same")


def _java_hash(text: str) -> int:
    """How Kafka chooses the partition of a name: `String.hashCode`, without its sign."""
    value = 0
    for character in text:
        value = (31 * value + ord(character)) & 0xFFFF_FFFF
    signed = value - (1 << 32) if value >> 31 else value
    return abs(signed) & 0x7FFF_FFFF
