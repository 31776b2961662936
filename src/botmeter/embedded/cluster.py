"""An Apache Kafka cluster of several brokers, for tests: leaders that move, coordinators that die, slow neighbours."""

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
    """Several brokers of one cluster, reachable from this machine alone, their data in temporary directories.

        with EmbeddedCluster(brokers=3) as cluster:
            cluster.nodes[0].kill()         # node 1; also stop, start, pause, resume, pid, log_tail

    A context manager as EmbeddedKafka is: all brokers answer when the block begins; all is gone when it ends, or when
    this process dies. Nodes count from 1. With three brokers or more, three are controllers too, records have three
    copies of which two must be written, and any one node may die; of two, the first is the controller and must live,
    and records have two copies of which one must be written. Not for use by several threads.

    Each broker listens at two ports. Clients are given `bootstrap_servers`; there a node may name another port as its
    own (`advertised_ports`), such as a proxy's. `direct_servers` leads to the brokers past any proxy.
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
            brokers: how many.
            properties: of every broker, on top of BROKER_PROPERTIES and `cluster_properties`.
            heap_megabytes: of each Java runtime.
            ready_timeout_ms: how long the brokers may take from their start to the first answer of each.
            cache: where the jars are kept; the user's cache directory by default.
            advertised_ports: by node, the port of 127.0.0.1 that clients are sent to in place of its own.
            report: told in a line each what is going on.
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
        """Start new brokers. Raises EmbeddedKafkaUnavailable as EmbeddedKafka does."""
        java, cluster_id = java_command(self._heap_megabytes, self._cache, self._report), uuid4().hex[:22]
        with ExitStack() as made:
            self.nodes = [
                ClusterNode(number, cluster_id, java, self._ready_timeout_ms, self._report) for number in self._numbers
            ]
            for node in self.nodes:
                made.callback(node.close)
            self._choose_ports()
            for node in self.nodes:
                node.format_storage()
            self._start_on_free_ports()
            create_internal_topics(self.direct_servers, self._properties)
            self._closing = made.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill the brokers; their data are deleted."""
        self._closing.close()

    @property
    def bootstrap_servers(self) -> str:
        """Where clients find the brokers, who then send them to the advertised ports."""
        return ",".join(node.bootstrap_servers for node in self.nodes)

    @property
    def direct_servers(self) -> str:
        """Where clients find the brokers without any proxy between."""
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
        for node in self.nodes:  # none answers before most of the controllers are there
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
        """Makes its directory, and the guard that deletes it in the end."""
        super().__init__(ready_timeout_ms, report)
        self.node_id = node_id
        self._cluster_id, self._java = cluster_id, java
        self.directory = Path(tempfile.mkdtemp(prefix=f"botmeter-kafka-{node_id}-"))
        self._process = GuardedProcess(self.directory)
        (self.directory / "tmp").mkdir()

    @property
    def direct_servers(self) -> str:
        """Where the other brokers find it, and clients that no proxy should hold up."""
        return f"127.0.0.1:{self._direct_port}"

    @property
    def clients_port(self) -> int:
        """The port at which it listens for clients, whatever port it tells them."""
        return self._broker_port

    def configure(self, ports: NodePorts, properties: str) -> None:
        """Where it listens from its next start on, and the text of its server.properties."""
        self._broker_port, self._direct_port = ports.clients, ports.direct
        (self.directory / "server.properties").write_text(properties, "ascii")

    def close(self) -> None:
        """Kills the broker and deletes its data."""
        self._process.close()
