"""The configuration of the embedded broker."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: For one broker, many short-lived topics, and tests that need a rebalance at once rather than in a minute.
BROKER_PROPERTIES: Mapping[str, str] = {
    # A missing topic is a mistake in a test; it must not be created implicitly.
    "auto.create.topics.enable": "false",
    # Allows records of 10 MB, which clients with large limits send.
    "message.max.bytes": str(16 * 1024 * 1024),
    # There is only one broker to replicate to.
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Kafka's 50 each would be created, and loaded after every bounce, for a handful of groups and
    # transactional ids.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    # A group starts with its first member, and a new assignment does not wait for more changes.
    "group.initial.rebalance.delay.ms": "0",
    "group.consumer.assignment.interval.ms": "0",
    # Members of both protocols may use short sessions, so that the loss of a killed one is detected soon ...
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.min.heartbeat.interval.ms": "100",
    # ... and with group.protocol=consumer, where the broker decides, they have one.
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.heartbeat.interval.ms": "500",
    # After kill() the broker cannot register again before its previous session has ended.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Two index files are allocated in full for each partition: 10 MB is too much for hundreds of small topics.
    "log.index.size.max.bytes": str(512 * 1024),
    # The cleaner takes this from the heap at start; 128 MB would be a quarter of it.
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}


@dataclass(frozen=True, slots=True)
class NodePorts:
    """The ports at which one node of a cluster listens."""

    clients: int
    direct: int
    controller: int


@dataclass(frozen=True, slots=True)
class Listener:
    """An additional listener of a broker: its name, its protocol such as SASL_SSL, and its port."""

    name: str
    protocol: str
    port: int


def server_properties(
    properties: Mapping[str, str], broker_port: int, controller_port: int, listeners: Sequence[Listener] = ()
) -> str:
    """Returns server.properties of a KRaft node that only this machine can reach, with its data in `data`.

    `listeners` are in addition to the one without security, which the broker itself uses.
    """
    every = [Listener("PLAINTEXT", "PLAINTEXT", broker_port), *listeners]
    every.append(Listener("CONTROLLER", "PLAINTEXT", controller_port))
    node = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": _listeners({each.name: each.port for each in every}),
        "listener.security.protocol.map": ",".join(f"{each.name}:{each.protocol}" for each in every),
        "log.dirs": "data",
    }
    return _text({**node, **properties})


def cluster_properties(brokers: int) -> Mapping[str, str]:
    """Returns what differs from BROKER_PROPERTIES in a cluster of this many brokers: records are replicated."""
    copies, in_sync = str(min(brokers, 3)), "2" if brokers >= 3 else "1"
    internal = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
    return {
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        **{f"{topic}.replication.factor": copies for topic in internal},
        **{f"{topic}.min.isr": in_sync for topic in ("transaction.state.log", "share.coordinator.state.topic")},
    }


def node_properties(
    properties: Mapping[str, str], node_id: int, ports: Mapping[int, NodePorts], advertised_port: int
) -> str:
    """Returns server.properties of one node of a cluster; `ports` are those of every node.

    The node advertises `advertised_port` to clients of the clients' port. To clients of the direct port, which the
    brokers also use among themselves, it advertises that port. With two nodes the first is the controller, else the
    first three are.
    """
    controllers = sorted(ports)[: 3 if len(ports) >= 3 else 1]
    own, is_controller = ports[node_id], node_id in controllers
    listeners = {"CLIENTS": own.clients, "DIRECT": own.direct} | (
        {"CONTROLLER": own.controller} if is_controller else {}
    )
    advertised = {"CLIENTS": advertised_port, "DIRECT": own.direct}
    node = {
        "process.roles": "broker,controller" if is_controller else "broker",
        "node.id": str(node_id),
        "controller.quorum.voters": ",".join(f"{voter}@127.0.0.1:{ports[voter].controller}" for voter in controllers),
        "controller.listener.names": "CONTROLLER",
        "listeners": _listeners(listeners),
        "advertised.listeners": _listeners(advertised),
        "inter.broker.listener.name": "DIRECT",
        "listener.security.protocol.map": "CLIENTS:PLAINTEXT,DIRECT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": "data",
    }
    return _text({**node, **properties})


def kept_cluster_id(home: Path) -> str | None:
    """Returns the id of the cluster whose data are in this directory, None when there are none."""
    properties = home / "data" / "meta.properties"
    if not properties.exists():
        return None
    found = re.search(r"^cluster\.id=(\S+)$", properties.read_text("ascii"), re.MULTILINE)
    return found and found[1]


def _listeners(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())


def _text(properties: Mapping[str, str]) -> str:
    return "".join(f"{name}={_escaped(value)}\n" for name, value in properties.items())


def _escaped(value: str) -> str:
    """Escapes backslashes, line breaks and non-ASCII characters: Java's properties do so as JSON does."""
    return json.dumps(value)[1:-1]
