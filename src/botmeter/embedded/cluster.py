"""An Apache Kafka cluster of several brokers, for tests: leaders that move, coordinators that die, slow brokers."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from botmeter.embedded.distribution import Report, default_cache
from botmeter.embedded.guarded_process import GuardedProcess
from botmeter.embedded.kafka import PORT_ATTEMPTS
from botmeter.embedded.node import Node, PortTaken, java_command
from botmeter.embedded.ports import free_ports
from botmeter.embedded.properties import BROKER_PROPERTIES, NodePorts, cluster_properties, node_properties
from botmeter.embedded.readiness import create_internal_topics


class EmbeddedCluster:
    """Several brokers of one cluster, reachable only from this machine, with their data in temporary directories.

        with EmbeddedCluster(brokers=3) as cluster:
            cluster.nodes[0].kill()         # node 1; also stop, start, pause, resume, pid, log_tail

    A context manager like EmbeddedKafka: all brokers answer when the block begins, and everything is deleted when it
    ends, or when this process dies. Nodes are numbered from 1. With three brokers or more, three are also controllers,
    records have three replicas with two in sync, and any one node may die. With two, the first is the controller and
    must live, and records have two replicas with one in sync. Not for use by several threads.

    Each broker listens at two ports. Clients use `bootstrap_servers`; there a node may advertise another port
    (`advertised_ports`), such as a proxy's. `direct_servers` are the brokers without any proxy.
    """

    def __init__(
        self,
        brokers: int = 3,
        *,
        properties: Mapping[str, str] | None = None,
        heap_megabytes: int = 256,
        ready_timeout_ms: int = 180_000,
        cache: Path | None = None,
        advertised_ports: Mapping[int, int] | None = None,
        report: Report = lambda _: None,
    ) -> None:
        """Nothing happens before the block is entered.

        Args:
            brokers: the number of brokers.
            properties: of every broker, in addition to BROKER_PROPERTIES and `cluster_properties`.
            heap_megabytes: of each Java runtime.
            ready_timeout_ms: how long the brokers may take from their start until each answers.
            cache: the directory of the jars; the user's cache directory by default.
            advertised_ports: by node, the port of 127.0.0.1 that clients use in place of its own.
            report: called with a line of text at each step.
        """
        self._properties = {**BROKER_PROPERTIES, **cluster_properties(brokers), **(properties or {})}
        self._numbers = range(1, brokers + 1)
        self._heap_megabytes, self._ready_timeout_ms = heap_megabytes, ready_timeout_ms
        self._cache, self._report = cache or default_cache(), report
        self._advertised_ports = advertised_ports or {}
        self._closing = ExitStack()
        #: Node 1 comes first.
        self.nodes: Sequence[ClusterNode] = []

    def __enter__(self) -> Self:
        """Starts new brokers. Raises EmbeddedKafkaUnavailable as EmbeddedKafka does."""
        java, cluster_id = java_command(self._heap_megabytes, self._cache, self._report), uuid4().hex[:22]
        with ExitStack() as started:
            self.nodes = [
                ClusterNode(number, cluster_id, java, self._ready_timeout_ms, self._report) for number in self._numbers
            ]
            for node in self.nodes:
                started.callback(node.close)
            self._choose_ports()
            for node in self.nodes:
                node.format_storage()
            self._start_on_free_ports()
            create_internal_topics(self.direct_servers, self._properties)
            self._closing = started.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kills the brokers and deletes their data."""
        self._closing.close()

    @property
    def bootstrap_servers(self) -> str:
        """The addresses for clients, which are then directed to the advertised ports."""
        return ",".join(node.bootstrap_servers for node in self.nodes)

    @property
    def direct_servers(self) -> str:
        """The addresses of the brokers without any proxy."""
        return ",".join(node.direct_servers for node in self.nodes)

    def _start_on_free_ports(self) -> None:
        for _ in range(PORT_ATTEMPTS - 1):
            try:
                return self._start()
            except PortTaken:
                for node in self.nodes:
                    node.kill()
                self._choose_ports()
        return self._start()

    def _start(self) -> None:
        for node in self.nodes:
            node.launch()
        for node in self.nodes:  # none answers before a majority of the controllers runs
            node.await_answer()

    def _choose_ports(self) -> None:
        chosen = iter(free_ports(3 * len(self._numbers)))
        ports = {number: NodePorts(next(chosen), next(chosen), next(chosen)) for number in self._numbers}
        for node in self.nodes:
            advertised = self._advertised_ports.get(node.node_id, ports[node.node_id].clients)
            node.configure(ports[node.node_id], node_properties(self._properties, node.node_id, ports, advertised))


class ClusterNode(Node):
    """One broker of a cluster."""

    def __init__(
        self, node_id: int, cluster_id: str, java: Sequence[str], ready_timeout_ms: int, report: Report
    ) -> None:
        """Creates its directory, and the guard that deletes it in the end."""
        super().__init__(ready_timeout_ms, report)
        self.node_id = node_id
        self._cluster_id, self._java = cluster_id, java
        self.directory = Path(tempfile.mkdtemp(prefix=f"botmeter-kafka-{node_id}-"))
        self._process = GuardedProcess(self.directory)
        (self.directory / "tmp").mkdir()

    @property
    def direct_servers(self) -> str:
        """The address for other brokers, and for clients that should not use a proxy."""
        return f"127.0.0.1:{self._direct_port}"

    @property
    def clients_port(self) -> int:
        """The port at which it listens for clients, whatever port it advertises."""
        return self._broker_port

    def configure(self, ports: NodePorts, properties: str) -> None:
        """Sets its ports and the text of its server.properties, for its next start."""
        self._broker_port, self._direct_port = ports.clients, ports.direct
        (self.directory / "server.properties").write_text(properties, "ascii")

    def close(self) -> None:
        """Kills the broker and deletes its data."""
        self._process.close()
