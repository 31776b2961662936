"""An Apache Kafka broker that lives as long as a `with` block, or a process, and not a moment longer."""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from botmeter.embedded.distribution import KAFKA_VERSION, Report, default_cache, java_executable, kafka_jars
from botmeter.embedded.errors import EmbeddedKafkaUnavailable
from botmeter.embedded.guarded_process import GuardedProcess
from botmeter.embedded.ports import free_ports, is_free
from botmeter.embedded.properties import BROKER_PROPERTIES, kept_cluster_id, server_properties
from botmeter.embedded.readiness import await_broker, create_internal_topics

#: Another process can take a port between our look and the broker's bind; this often, it is no accident.
PORT_ATTEMPTS = 5

#: What the broker says of a port that is taken.
PORT_IS_TAKEN = "Socket server failed to bind"

LOG_TAIL_LINES = 40

#: Formatting takes a second, an orderly shutdown less: this long only on a machine that has come to a halt.
PROCESS_TIMEOUT_S = 60.0

#: How long one look for the end of the broker waits for it.
_LOOK_S = 60.0

#: How long a broker with the same home may take to end that was left by a program that was killed.
LOCK_PATIENCE_S = 5.0

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


class EmbeddedKafka:
    """A real Apache Kafka of one node, reachable from this machine alone, its data in a temporary directory.

    A context manager: the broker answers when the block begins; when it ends, or this process dies of
    whatever, kill -9 included, broker and data are gone. Between, it can be paused, or stopped or killed and
    started again on the same data and ports. With a `home`, its data are kept there, and the next broker with
    the same home goes on with them. Not for use by several threads.

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
            report: told in a line each what is going on, for people who wait.
        """
        self._properties = {**BROKER_PROPERTIES, **(properties or {})}
        self._heap_megabytes = heap_megabytes
        self._ready_timeout_ms = ready_timeout_ms
        self._cache = cache or default_cache()
        self._report = report
        self._port, self._home = port, home

    def __enter__(self) -> Self:
        """Start a new broker.

        Raises:
            EmbeddedKafkaUnavailable: it cannot be had here, and the message says what to do; or it did not
                start, and the message holds the end of its log.
        """
        heap = f"-Xmx{self._heap_megabytes}m"
        self._java = [str(java_executable()), heap, *JVM_FLAGS, "-cp", self._class_path()]
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
        self._process.start([*self._java, "kafka.Kafka", "server.properties"])
        self._await_answer()

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

    def _class_path(self) -> str:
        return ":".join(str(jar) for jar in kafka_jars(self._cache, self._report))

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
            self._format_storage()

    def _start_on_free_ports(self) -> None:
        for _ in range(PORT_ATTEMPTS - 1):
            try:
                return self.start()
            except PortTaken:
                self._choose_ports()
        return self.start()

    def _choose_ports(self) -> None:
        chosen, controller_port = free_ports(2)
        self._broker_port = self._port or chosen
        text = server_properties(self._properties, self._broker_port, controller_port)
        (self.directory / "server.properties").write_text(text, "ascii")

    def _format_storage(self) -> None:
        self._report(f"preparing the storage of Apache Kafka {KAFKA_VERSION}")
        arguments = ["format", "--cluster-id", self._cluster_id, "--config", "server.properties"]
        self._process.start([*self._java, "kafka.tools.StorageTool", *arguments])
        if not self._process.has_exited(PROCESS_TIMEOUT_S) or self._process.exit_code != 0:
            raise self._unavailable("cannot format its storage")

    def _await_answer(self) -> None:
        try:
            await_broker(
                self.bootstrap_servers,
                cluster_id=self._cluster_id,
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
