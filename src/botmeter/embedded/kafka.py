"""An Apache Kafka broker that runs as long as a `with` block, and never longer than its process."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from botmeter.embedded.distribution import Report, default_cache
from botmeter.embedded.errors import EmbeddedKafkaUnavailable
from botmeter.embedded.guarded_process import GuardedProcess
from botmeter.embedded.node import BETWEEN_ATTEMPTS_S, Node, PortTaken, java_command
from botmeter.embedded.ports import free_ports, is_free
from botmeter.embedded.properties import BROKER_PROPERTIES, Listener, kept_cluster_id, server_properties
from botmeter.embedded.readiness import create_internal_topics

#: Another process can take a port between the check and the broker's bind. After this many attempts it is no accident.
PORT_ATTEMPTS = 5

#: How long the broker of a killed program with the same home may take to end.
LOCK_PATIENCE_S = 5.0


class EmbeddedKafka(Node):
    """A real Apache Kafka of one node, reachable only from this machine, with its data in a temporary directory.

    A context manager: the broker answers when the block begins. When the block ends, or this process dies, also by
    kill -9, the broker ends and its data are deleted. In the block it can be paused, or stopped or killed and started
    again on the same data and ports. With a `home`, its data are kept there, and the next broker with the same home
    uses them again. Not for use by several threads.

    Clients without security use `bootstrap_servers`; those of the additional `listeners` use `servers_of(name)`.

    The first start on a machine downloads Apache Kafka; later ones take 2 to 3 seconds.
    """

    def __init__(
        self,
        *,
        properties: Mapping[str, str] | None = None,
        heap_megabytes: int = 512,
        ready_timeout_ms: int = 60_000,
        cache: Path | None = None,
        port: int | None = None,
        home: Path | None = None,
        listeners: Mapping[str, str] | None = None,
        report: Report = lambda _: None,
    ) -> None:
        """Nothing happens before the block is entered.

        Args:
            properties: of the broker, in addition to BROKER_PROPERTIES.
            heap_megabytes: of the Java runtime.
            ready_timeout_ms: how long the broker may take from its start to its first answer.
            cache: the directory of the jars; the user's cache directory by default.
            port: the port for clients; any free one by default.
            home: an existing directory in which the data are kept, used by one broker at a time.
            listeners: additional ones, each name with its protocol, such as SASL_SSL; `properties` configure them.
            report: called with a line of text at each step, for people who wait.
        """
        super().__init__(ready_timeout_ms, report)
        self._properties = {**BROKER_PROPERTIES, **(properties or {})}
        self._heap_megabytes = heap_megabytes
        self._cache = cache or default_cache()
        self._port, self._home = port, home
        self._protocols, self._listeners = listeners or {}, list[Listener]()

    def __enter__(self) -> Self:
        """Starts a new broker.

        Raises:
            EmbeddedKafkaUnavailable: it is not available here, and the message says what to do; or it did not start,
                and the message has the end of its log.
        """
        self._java = java_command(self._heap_megabytes, self._cache, self._report)
        self.directory = self._home or Path(tempfile.mkdtemp(prefix="botmeter-kafka-"))
        kept_id = kept_cluster_id(self.directory)
        self._cluster_id = kept_id or uuid4().hex[:22]  # Kafka's are 22 characters of base64
        self._process = self._guarded()
        try:
            self._require_port()
            self._prepare(is_new=kept_id is None)
            self._start_on_free_ports()
            if kept_id is None:
                create_internal_topics(self.bootstrap_servers, self._properties)
        except BaseException:
            self._process.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends the broker: kills it and deletes its data, or stops it gracefully when they are kept."""
        self._process.close()

    def servers_of(self, listener: str) -> str:
        """Returns the address of one of the `listeners`: `host:port`; the same after a restart."""
        [port] = [each.port for each in self._listeners if each.name == listener]
        return f"127.0.0.1:{port}"

    def _guarded(self) -> GuardedProcess:
        if self._home is None:
            return GuardedProcess(self.directory)
        lock = os.open(self._home / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._await_lock(lock)
            return GuardedProcess(self.directory, "keep", lock)
        finally:
            os.close(lock)  # the guard holds it until the broker has ended

    def _await_lock(self, lock: int) -> None:
        """Waits for the lock: the broker of a killed program takes a moment to end."""
        deadline = time.monotonic() + LOCK_PATIENCE_S
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EmbeddedKafkaUnavailable(f"another Apache Kafka uses {self._home}") from None
            time.sleep(BETWEEN_ATTEMPTS_S)

    def _require_port(self) -> None:
        if self._port is not None and not is_free(self._port):
            raise PortTaken(f"port {self._port} is taken; is another Kafka running?")

    def _prepare(self, *, is_new: bool) -> None:
        (self.directory / "tmp").mkdir(exist_ok=True)
        (self.directory / "server.log").unlink(missing_ok=True)  # of the previous broker
        self._choose_ports()
        if is_new:
            self.format_storage()

    def _start_on_free_ports(self) -> None:
        for _ in range(PORT_ATTEMPTS - 1):
            try:
                return self.start()
            except PortTaken:
                self._choose_ports()
        return self.start()

    def _choose_ports(self) -> None:
        chosen, controller_port, *others = free_ports(2 + len(self._protocols))
        self._broker_port = self._port or chosen
        self._listeners = [
            Listener(name, protocol, port)
            for (name, protocol), port in zip(self._protocols.items(), others, strict=True)
        ]
        text = server_properties(self._properties, self._broker_port, controller_port, self._listeners)
        (self.directory / "server.properties").write_text(text, "ascii")
