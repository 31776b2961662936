"""An Apache Kafka broker that lives as long as a `with` block, or a process, and not a moment longer."""

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
from botmeter.embedded.node import BETWEEN_QUESTIONS_S, Node, PortTaken, java_command
from botmeter.embedded.ports import free_ports, is_free
from botmeter.embedded.properties import BROKER_PROPERTIES, Listener, kept_cluster_id, server_properties
from botmeter.embedded.readiness import create_internal_topics

#: Another process can take a port between our look and the broker's bind; this often, it is no accident.
PORT_ATTEMPTS = 5

#: How long a broker with the same home may take to end that was left by a program that was killed.
LOCK_PATIENCE_S = 5.0


class EmbeddedKafka(Node):
    """A real Apache Kafka of one node, reachable from this machine alone, its data in a temporary directory.

    A context manager: the broker answers when the block begins; when it ends, or this process dies of
    whatever, kill -9 included, broker and data are gone. Between, it can be paused, or stopped or killed and
    started again on the same data and ports. With a `home`, its data are kept there, and the next broker with
    the same home goes on with them. Not for use by several threads.

    Clients without security find it at `bootstrap_servers`; of each of the `listeners` on top, at `servers_of(name)`.

    The first start ever on a machine downloads Apache Kafka; later ones take 2 to 3 seconds.
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
            properties: of the broker, on top of BROKER_PROPERTIES.
            heap_megabytes: of the Java runtime.
            ready_timeout_ms: how long the broker may take from its start to its first answer.
            cache: where the jars are kept; the user's cache directory by default.
            port: where clients find the broker; any free one by default.
            home: an existing directory in which the data are kept, held by one broker at a time.
            listeners: more of them, each name with its protocol, such as SASL_SSL; what they need is in `properties`.
            report: told in a line each what is going on, for people who wait.
        """
        super().__init__(ready_timeout_ms, report)
        self._properties = {**BROKER_PROPERTIES, **(properties or {})}
        self._heap_megabytes = heap_megabytes
        self._cache = cache or default_cache()
        self._port, self._home = port, home
        self._protocols, self._listeners = listeners or {}, list[Listener]()

    def __enter__(self) -> Self:
        """Start a new broker.

        Raises:
            EmbeddedKafkaUnavailable: it cannot be had here, and the message says what to do; or it did not
                start, and the message holds the end of its log.
        """
        self._java = java_command(self._heap_megabytes, self._cache, self._report)
        self.directory = self._home or Path(tempfile.mkdtemp(prefix="botmeter-kafka-"))
        known_as = kept_cluster_id(self.directory)
        self._cluster_id = known_as or uuid4().hex[:22]  # Kafka's are 22 characters of base64
        self._process = self._guarded()
        try:
            self._require_port()
            self._prepare(is_new=known_as is None)
            self._start_on_free_ports()
            if known_as is None:
                create_internal_topics(self.bootstrap_servers, self._properties)
        except BaseException:
            self._process.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the broker: killed at once when nobody wants its data, which are deleted; in good order when kept."""
        self._process.close()

    def servers_of(self, listener: str) -> str:
        """Where clients find the broker by one of the `listeners`: `host:port`; the same after a restart."""
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
        """The broker of a program that was killed takes a moment to end."""
        deadline = time.monotonic() + LOCK_PATIENCE_S
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EmbeddedKafkaUnavailable(f"another Apache Kafka uses {self._home}") from None
            time.sleep(BETWEEN_QUESTIONS_S)

    def _require_port(self) -> None:
        if self._port is not None and not is_free(self._port):
            raise PortTaken(f"port {self._port} is taken; is another Kafka running?")

    def _prepare(self, *, is_new: bool) -> None:
        (self.directory / "tmp").mkdir(exist_ok=True)
        (self.directory / "server.log").unlink(missing_ok=True)  # of the broker that was here before
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
