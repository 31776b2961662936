"""One process of Apache Kafka and its directory: started, stopped, killed, frozen, and asked whether it answers."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from botmeter.embedded.distribution import KAFKA_VERSION, Report, java_executable, kafka_jars
from botmeter.embedded.errors import EmbeddedKafkaUnavailable
from botmeter.embedded.guarded_process import GuardedProcess
from botmeter.embedded.readiness import await_broker

#: What the broker says of a port that is taken.
PORT_IS_TAKEN = "Socket server failed to bind"

LOG_TAIL_LINES = 40

#: Formatting takes a second, an orderly shutdown less: this long only on a machine that has come to a halt.
PROCESS_TIMEOUT_S = 60.0

#: How long one look for the end of the broker waits for it.
_LOOK_S = 60.0

#: When another broker answers on our port, asking goes on until ours has ended, but not in a rush.
BETWEEN_QUESTIONS_S = 0.1

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
    """Somebody else listens on the broker's port. Recovery: another port, unless clients know this one."""


def java_command(heap_megabytes: int, cache: Path, report: Report) -> list[str]:
    """What runs Apache Kafka's programs, without the name of one; downloads Apache Kafka where it is missing.

    Raises:
        EmbeddedKafkaUnavailable: it cannot be had here, and the message says what to do.
    """
    class_path = ":".join(str(jar) for jar in kafka_jars(cache, report))
    return [str(java_executable()), f"-Xmx{heap_megabytes}m", *JVM_FLAGS, "-cp", class_path]


class Node:
    """A node of a cluster.

    Whoever makes one sets these before it is started: its directory, the guarded process in it, the command that runs
    Java, the cluster's id, and where clients find it. Not for use by several threads.
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
        """Where clients find the broker: `host:port`; the same after a restart."""
        return f"127.0.0.1:{self._broker_port}"

    @property
    def pid(self) -> int | None:
        """The process of the broker; None when it does not run."""
        return None if self._process.has_exited(within_s=0) else self._process.pid

    def log_tail(self, lines: int = LOG_TAIL_LINES) -> str:
        """The last lines that the broker logged: warnings and errors."""
        log = self.directory / "server.log"
        return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:]) if log.exists() else ""

    def stop(self) -> None:
        """Shut the broker down in good order, which lets its clients know; kill it if that takes too long."""
        self._process.signal(signal.SIGCONT)
        self._process.signal(signal.SIGTERM)
        if not self._process.has_exited(PROCESS_TIMEOUT_S):
            self.kill()

    def kill(self) -> None:
        """End the broker as a power cut would: nothing is flushed, nobody is told."""
        self._process.signal(signal.SIGKILL)
        self._process.has_exited(PROCESS_TIMEOUT_S)

    def start(self) -> None:
        """Start the stopped or killed broker again, on its data and ports, and wait until it answers.

        Raises:
            EmbeddedKafkaUnavailable: it ended, or did not answer in time; the message holds its last words.
        """
        self._report(f"starting Apache Kafka {KAFKA_VERSION}")
        self.launch()
        self.await_answer()

    def launch(self) -> None:
        """Start the process, without waiting until it answers."""
        self._process.start([*self._java, "kafka.Kafka", "server.properties"])

    def pause(self) -> None:
        """Freeze the broker: connections stay open, nothing is answered."""
        self._process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the paused broker go on."""
        self._process.signal(signal.SIGCONT)

    def await_end(self) -> None:
        """Return when the broker has ended, by itself or because another program ended it."""
        while not self._process.has_exited(within_s=_LOOK_S):
            pass

    def format_storage(self) -> None:
        """Give a new node its empty storage. Raises EmbeddedKafkaUnavailable."""
        self._report(f"preparing the storage of Apache Kafka {KAFKA_VERSION}")
        arguments = ["format", "--cluster-id", self._cluster_id, "--config", "server.properties"]
        self._process.start([*self._java, "kafka.tools.StorageTool", *arguments])
        if not self._process.has_exited(PROCESS_TIMEOUT_S) or self._process.exit_code != 0:
            raise self._unavailable("cannot format its storage")

    def await_answer(self) -> None:
        """Wait until the launched broker answers. Raises EmbeddedKafkaUnavailable, as `start` does."""
        try:
            await_broker(
                self.bootstrap_servers,
                cluster_id=self._cluster_id,
                node_id=self.node_id,
                timeout_ms=self._ready_timeout_ms,
                between_questions=self._require_process,
            )
        except TimeoutError as error:
            raise self._unavailable(f"is not ready: {error}") from error

    def _require_process(self) -> None:
        if self._process.has_exited(within_s=BETWEEN_QUESTIONS_S):
            log = self.log_tail(lines=10 * LOG_TAIL_LINES)
            kind = PortTaken if PORT_IS_TAKEN in log else EmbeddedKafkaUnavailable
            raise self._unavailable(f"ended while starting, code {self._process.exit_code}", kind)

    def _unavailable(
        self, what: str, kind: type[EmbeddedKafkaUnavailable] = EmbeddedKafkaUnavailable
    ) -> EmbeddedKafkaUnavailable:
        return kind(f"Apache Kafka {what}; its log ends:\n{self.log_tail()}")
