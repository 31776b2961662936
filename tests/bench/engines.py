"""The engines as `make bench` sees them: a program, what it is told, and the consumer group whose offsets it commits.

All are told the same: where the broker is, which topics to read, the prefix of their outputs and group, a directory.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from botmeter.contracts.topics import Topics
from botmeter.embedded.errors import EmbeddedKafkaUnavailable

from .peers import quix_environment, streams_build
from .stage import Backlog, Stage

PEERS: Final = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Job:
    """One installation of an engine: it may run several times, or in several processes, on the same state."""

    bootstrap_servers: str
    backlog: Backlog
    prefix: str
    directory: Path

    @property
    def group(self) -> str:
        """The consumer group."""
        return f"{self.prefix}group"

    def state(self, instance: int) -> Path:
        """The directory in which a process keeps its state."""
        return self.directory / f"state-{instance}"


class Engine(ABC):
    """A program that does the job."""

    #: How it is called on the command line.
    name: str
    #: How tables call it.
    label: str
    #: More would take too long.
    most_records: int = 100_000_000

    @abstractmethod
    def version(self) -> str:
        """Of the engine and what runs it."""

    def missing(self) -> str | None:
        """Makes ready what takes time, such as compiling; says in one line what is missing, None if nothing."""
        return None

    def create_outputs(self, stage: Stage, job: Job) -> None:
        """The topics it writes to."""
        stage.create_plain(self.outputs(job), job.backlog.partitions)

    def logs(self, job: Job) -> Sequence[str]:  # noqa: ARG002
        """The topics from which it restores its state."""
        return []

    def answers(self, job: Job) -> str:
        """The topic that says what was decided of a chat, with the broker's timestamp of the chat."""
        raise NotImplementedError

    @abstractmethod
    def outputs(self, job: Job) -> Sequence[str]:
        """The topics it writes to, by name."""

    def starts(self, job: Job) -> tuple[str, bytes] | None:  # noqa: ARG002
        """The topic with a record for each session start, and what marks one in its value; None without."""
        return None

    @abstractmethod
    def command(self, job: Job, instance: int) -> Sequence[str]:
        """The program and its arguments."""

    def environment(self, job: Job, instance: int) -> Mapping[str, str]:  # noqa: ARG002 - most need none
        """Variables on top of our own."""
        return {}


class Botmeter(Engine):
    """The worker, with all it does."""

    name = "botmeter"
    label = "botmeter"

    def version(self) -> str:
        return f"botmeter {version('botmeter')} on Python {sys.version.split()[0]}"

    def create_outputs(self, stage: Stage, job: Job) -> None:
        topics = Topics.named(job.prefix)
        stage.create([topic for topic in topics.all() if topic.direction != "in"], job.backlog.partitions)

    def outputs(self, job: Job) -> Sequence[str]:
        return [topic.name for topic in Topics.named(job.prefix).all() if topic.direction != "in"]

    def logs(self, job: Job) -> Sequence[str]:
        topics = Topics.named(job.prefix)
        return [topics.journal.name, topics.snapshots.name]

    def answers(self, job: Job) -> str:
        return Topics.named(job.prefix).handoffs.name

    def starts(self, job: Job) -> tuple[str, bytes] | None:
        return Topics.named(job.prefix).journal.name, b'"session_started"'

    def command(self, job: Job, instance: int) -> Sequence[str]:  # noqa: ARG002
        return [str(Path(sys.executable).with_name("botmeter")), "worker"]

    def environment(self, job: Job, instance: int) -> Mapping[str, str]:
        return {
            "BOTMETER_BOOTSTRAP_SERVERS": job.bootstrap_servers,
            "BOTMETER_INTERACTIONS_TOPIC": job.backlog.interactions,
            "BOTMETER_COMMANDS_TOPIC": job.backlog.commands,
            "BOTMETER_TOPIC_PREFIX": job.prefix,
            "BOTMETER_GROUP": job.group,
            "BOTMETER_PARTITIONS": str(job.backlog.partitions),
            "BOTMETER_DATA_DIR": str(job.state(instance)),
            "BOTMETER_INSTANCE": f"worker-{instance}",
            "BOTMETER_WEB_PORT": "0",
        }


class Streams(Engine):
    """Kafka Streams: a window per end-user, a counter per account, session starts and balances as outputs."""

    def __init__(self, name: str, label: str, reader: str, *options: str) -> None:
        """`reader` is what reads JSON, `mapper` or `parser`; `options` are of Kafka Streams, as name=value."""
        self.name = name
        self.label = label
        self._options = (reader, *options)

    def version(self) -> str:
        return f"Kafka Streams {streams_build.VERSION} on {streams_build.java_version()}"

    def missing(self) -> str | None:
        try:
            streams_build.build()
        except (EmbeddedKafkaUnavailable, streams_build.NoCompilerError) as error:
            return str(error)
        return None

    def outputs(self, job: Job) -> Sequence[str]:
        return [f"{job.prefix}sessions", f"{job.prefix}balances"]

    def logs(self, job: Job) -> Sequence[str]:
        return [f"{job.group}-{store}-changelog" for store in ("windows", "used")]

    def answers(self, job: Job) -> str:
        return f"{job.prefix}sessions"

    def starts(self, job: Job) -> tuple[str, bytes] | None:
        return f"{job.prefix}sessions", b'"session_started"'

    def command(self, job: Job, instance: int) -> Sequence[str]:
        told = {
            "bootstrap.servers": job.bootstrap_servers,
            "application.id": job.group,
            "state.dir": str(job.state(instance)),
        }
        arguments = [f"{name}={value}" for name, value in told.items()]
        topics = [job.backlog.interactions, *self.outputs(job)]
        return [*streams_build.java_command(), "StreamsPeer", *topics, *self._options, *arguments]


class PythonPeer(Engine):
    """A small program in Python, in our own environment."""

    def __init__(self, name: str, label: str, program: str) -> None:
        """`program` is a file of peers/."""
        self.name = name
        self.label = label
        self._program = PEERS / program

    def version(self) -> str:
        return f"confluent-kafka {version('confluent-kafka')} on Python {sys.version.split()[0]}"

    def outputs(self, job: Job) -> Sequence[str]:
        return [f"{job.prefix}sessions", f"{job.prefix}balances"]

    def command(self, job: Job, instance: int) -> Sequence[str]:  # noqa: ARG002
        backlog = job.backlog
        told = [job.bootstrap_servers, job.group, backlog.interactions, str(backlog.mix.per_session)]
        return [sys.executable, str(self._program), *told, *self.outputs(job)]


class FaustPeer(PythonPeer):
    """Faust as it is meant to be used."""

    most_records = 40_000

    def version(self) -> str:
        return f"faust-streaming {version('faust-streaming')} on Python {sys.version.split()[0]}"

    def starts(self, job: Job) -> tuple[str, bytes] | None:
        return f"{job.prefix}sessions", b'"session_started"'

    def command(self, job: Job, instance: int) -> Sequence[str]:
        return [*super().command(job, instance), str(job.state(instance))]


class QuixPeer(FaustPeer):
    """Quix Streams, in an environment of its own."""

    most_records = 400_000

    def version(self) -> str:
        return f"Quix Streams {quix_environment.version()} on Python {sys.version.split()[0]}"

    def missing(self) -> str | None:
        try:
            quix_environment.build()
        except quix_environment.NoEnvironmentError as error:
            return str(error)
        return None

    def command(self, job: Job, instance: int) -> Sequence[str]:
        return [str(quix_environment.python()), *super().command(job, instance)[1:]]


#: For a faster Kafka Streams: a larger cache, larger fetches, polls and batches; and JSON is parsed by hand.
TUNED: Final = (
    "statestore.cache.max.bytes=268435456",
    "buffered.records.per.partition=10000",
    "consumer.max.poll.records=5000",
    "consumer.max.partition.fetch.bytes=4194304",
    "producer.batch.size=262144",
)

TRANSACTIONAL: Final = "enable.transactional.statestores=true"

ENGINES: Final[tuple[Engine, ...]] = (
    Botmeter(),
    Streams("streams", "Kafka Streams", "mapper"),
    Streams("streams-tuned", "Kafka Streams, tuned", "parser", *TUNED),
    Streams("streams-tx", "Kafka Streams, tuned, transactional stores", "parser", *TUNED, TRANSACTIONAL),
    QuixPeer("quix", "Quix Streams", "quix.py"),
    FaustPeer("faust", "Faust", "faust_peer.py"),
    PythonPeer("floor", "transactions in Python, nothing decided (floor)", "floor.py"),
    PythonPeer("limit", "reading alone (limit)", "limit.py"),
)
