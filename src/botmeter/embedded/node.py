"""One process of Apache Kafka and its directory: starts, stops, kills, pauses it, and waits until it answers."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from botmeter.embedded.distribution import KAFKA_VERSION, Report, java_executable, kafka_jars
from botmeter.embedded.errors import EmbeddedKafkaUnavailable
from botmeter.embedded.guarded_process import GuardedProcess
from botmeter.embedded.readiness import await_broker

#: What the broker logs when a port is taken.
PORT_IS_TAKEN = "Socket server failed to bind"

LOG_TAIL_LINES = 40

#: Formatting takes a second, a graceful shutdown less; only a machine that hangs takes this long.
PROCESS_TIMEOUT_S = 60.0

#: How long one check for the end of the broker waits.
_CHECK_S = 60.0

#: The pause between two attempts to reach the broker, or to lock its home.
BETWEEN_ATTEMPTS_S = 0.1

#: Measured on two cores: against C2 or G1 this starts in 1.5 s instead of 2.1 s, takes a quarter less CPU,
#: and serves producers, consumers and transactions as fast or faster; the work of a broker is moving bytes.
#: An AOT cache would save another 0.8 s, and cost 4 s and 64 MB once.
JVM_FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",  # no files outside the directory
    "-Djava.io.tmpdir=tmp",
    "-XX:ErrorFile=java-crash.log",
    "-XX:+ExitOnOutOfMemoryError",
    "--enable-native-access=ALL-UNNAMED",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
)


class PortTaken(EmbeddedKafkaUnavailable):
    """Another process listens on the broker's port. Recovery: another port, unless the port is fixed."""


def java_command(heap_megabytes: int, cache: Path, report: Report) -> list[str]:
    """Returns the command for Apache Kafka's programs, without the program's name; downloads Apache Kafka if needed.

    Raises:
        EmbeddedKafkaUnavailable: it is not available here, and the message says what to do.
    """
    class_path = ":".join(str(jar) for jar in kafka_jars(cache, report))
    return [str(java_executable()), f"-Xmx{heap_megabytes}m", *JVM_FLAGS, "-cp", class_path]


class Node:
    """A node of a cluster.

    A subclass sets these before the start: its directory, the guarded process in it, the command that runs Java, the
    cluster's id, and the port for clients. Not for use by several threads.
    """

    node_id = 1
    directory: Path
    _process: GuardedProcess
    _java: Sequence[str]
    _cluster_id: str
    _broker_port: int

    def __init__(self, ready_timeout_ms: int, report: Report) -> None:
        """`ready_timeout_ms`: how long the broker may take from its start to its first answer."""
        self._ready_timeout_ms = ready_timeout_ms
        self._report = report

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients: `host:port`; the same after a restart."""
        return f"127.0.0.1:{self._broker_port}"

    @property
    def pid(self) -> int | None:
        """The process id of the broker; None when it does not run."""
        return None if self._process.has_exited(within_s=0) else self._process.pid

    def log_tail(self, lines: int = LOG_TAIL_LINES) -> str:
        """Returns the last lines that the broker logged: warnings and errors."""
        log = self.directory / "server.log"
        return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:]) if log.exists() else ""

    def stop(self) -> None:
        """Shuts the broker down gracefully, which notifies its clients; kills it if that takes too long."""
        self._process.signal(signal.SIGCONT)
        self._process.signal(signal.SIGTERM)
        if not self._process.has_exited(PROCESS_TIMEOUT_S):
            self.kill()

    def kill(self) -> None:
        """Kills the broker as a power cut would: it flushes nothing and notifies no client."""
        self._process.signal(signal.SIGKILL)
        self._process.has_exited(PROCESS_TIMEOUT_S)

    def start(self) -> None:
        """Starts the stopped or killed broker again, on its data and ports, and waits until it answers.

        Raises:
            EmbeddedKafkaUnavailable: it ended, or did not answer in time; the message has the end of its log.
        """
        self._report(f"starting Apache Kafka {KAFKA_VERSION}")
        self.launch()
        self.await_answer()

    def launch(self) -> None:
        """Starts the process, without waiting until it answers."""
        self._process.start([*self._java, "kafka.Kafka", "server.properties"])

    def pause(self) -> None:
        """Pauses the broker: connections stay open, requests are not answered."""
        self._process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resumes the paused broker."""
        self._process.signal(signal.SIGCONT)

    def await_end(self) -> None:
        """Returns when the broker has ended, by itself or because another program ended it."""
        while not self._process.has_exited(within_s=_CHECK_S):
            pass

    def format_storage(self) -> None:
        """Formats the empty storage of a new node. Raises EmbeddedKafkaUnavailable."""
        self._report(f"preparing the storage of Apache Kafka {KAFKA_VERSION}")
        arguments = ["format", "--cluster-id", self._cluster_id, "--config", "server.properties"]
        self._process.start([*self._java, "kafka.tools.StorageTool", *arguments])
        if not self._process.has_exited(PROCESS_TIMEOUT_S) or self._process.exit_code != 0:
            raise self._unavailable("cannot format its storage")

    def await_answer(self) -> None:
        """Waits until the launched broker answers. Raises EmbeddedKafkaUnavailable, as `start` does."""
        try:
            await_broker(
                self.bootstrap_servers,
                cluster_id=self._cluster_id,
                node_id=self.node_id,
                timeout_ms=self._ready_timeout_ms,
                between_attempts=self._require_process,
            )
        except TimeoutError as error:
            raise self._unavailable(f"is not ready: {error}") from error

    def _require_process(self) -> None:
        if self._process.has_exited(within_s=BETWEEN_ATTEMPTS_S):
            log = self.log_tail(lines=10 * LOG_TAIL_LINES)
            kind = PortTaken if PORT_IS_TAKEN in log else EmbeddedKafkaUnavailable
            raise self._unavailable(f"ended while starting, code {self._process.exit_code}", kind)

    def _unavailable(
        self, what: str, kind: type[EmbeddedKafkaUnavailable] = EmbeddedKafkaUnavailable
    ) -> EmbeddedKafkaUnavailable:
        return kind(f"Apache Kafka {what}; its log ends:\n{self.log_tail()}")
