"""Everything that the demo runs: an embedded Apache Kafka with botmeter's topics, worker, notifier and web server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from botmeter.contracts.topics import Topics
from botmeter.demo.inbox import SECRET, Inbox
from botmeter.demo.program import Program
from botmeter.demo.reading import Place, ends_of
from botmeter.embedded import EmbeddedKafka
from botmeter.kafka import clients, questions
from botmeter.kafka.topic_setup import create_topics
from botmeter.settings.model import PREFIX, Settings

PARTITIONS: Final = 4
#: The time limit of one request to the group's coordinator.
_REQUEST_TIMEOUT_S: Final = 5.0
#: The beginnings of the lines in which `botmeter web --demo` prints its address and the login link.
_ADDRESS_LINE: Final = "listening at "
_LOGIN_LINE: Final = "log in at "


@dataclass(frozen=True, slots=True)
class Cluster:
    """The running programs, and clients for them."""

    settings: Settings
    worker: Program
    notifier: Program
    #: Billing page and API; it also runs the read side.
    web: Program
    inbox: Inbox
    admin: AdminClient
    #: Only queries the group's offsets.
    offsets_reader: Consumer

    @property
    def topics(self) -> Topics:
        """The topics of the contract."""
        return self.settings.topics()

    @property
    def reader_config(self) -> clients.Config:
        """The configuration of a read_committed consumer."""
        return clients.reader_config({}, self.settings.bootstrap_servers, self.settings.group)

    def ends(self, topics: Iterable[str]) -> dict[Place, int]:
        """Returns where the partitions of the topics end now."""
        return ends_of(self.admin, topics, PARTITIONS)

    def committed(self) -> Mapping[Place, int]:
        """Returns the offset that the worker has committed for each input partition."""
        inputs = (self.topics.interactions.name, self.topics.commands.name)
        places = [TopicPartition(topic, number) for topic in inputs for number in range(PARTITIONS)]
        answers = questions.retried(
            lambda: self.offsets_reader.committed(places, timeout=_REQUEST_TIMEOUT_S), "the worker's group"
        )
        return {(answer.topic, answer.partition): max(answer.offset, 0) for answer in answers}


@contextmanager
def running_cluster(report: Callable[[str], None]) -> Iterator[Cluster]:
    """Runs everything until the block ends; nothing is left behind. `report` is called with a line at each step.

    Raises EmbeddedKafkaUnavailable, whose message says what to do, when Apache Kafka is not available here, and
    ProgramEnded.
    """
    with EmbeddedKafka(report=report) as broker:
        settings = Settings(bootstrap_servers=broker.bootstrap_servers, partitions=PARTITIONS, replication_factor=1)
        config = clients.reader_config({}, broker.bootstrap_servers, settings.group)
        with clients.make_admin(clients.admin_config({}, broker.bootstrap_servers)) as admin:
            create_topics(admin, settings.topics().all(), PARTITIONS, settings.replication_factor)
            offsets_reader = clients.make_consumer(config)
            try:
                with Inbox() as inbox, _programs(settings, inbox, report) as (worker, notifier, web):
                    yield Cluster(settings, worker, notifier, web, inbox, admin, offsets_reader)
            finally:
                offsets_reader.close()


@contextmanager
def _programs(
    settings: Settings, inbox: Inbox, report: Callable[[str], None]
) -> Iterator[tuple[Program, Program, Program]]:
    """Runs worker, notifier and web server; yields them once the web server is up and the inbox links to it."""
    report("starting botmeter worker, notify and web")
    with (
        Program(_variables(settings), "worker") as worker,
        Program(_notifier_variables(settings, inbox), "notify") as notifier,
        Program(_variables(settings) | {f"{PREFIX}HTTP_PORT": "0"}, "web", "--demo") as web,
    ):
        address = web.await_line(_ADDRESS_LINE)
        inbox.link_to_billing(web.await_line(_LOGIN_LINE))
        report(f"Admin > Billing is at {address}")
        report(f"  log in as an operator: {inbox.billing_url}")
        yield worker, notifier, web


def _variables(settings: Settings) -> dict[str, str]:
    """Returns the settings of all programs; the others keep their defaults."""
    return {
        f"{PREFIX}BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        f"{PREFIX}PARTITIONS": str(settings.partitions),
        f"{PREFIX}WEB_PORT": "0",
    }


def _notifier_variables(settings: Settings, inbox: Inbox) -> dict[str, str]:
    return {
        **_variables(settings),
        f"{PREFIX}NOTIFY_PORT": "0",
        f"{PREFIX}NOTIFY_SMTP_HOST": "127.0.0.1",
        f"{PREFIX}NOTIFY_SMTP_PORT": str(inbox.smtp_port),
        f"{PREFIX}NOTIFY_SMTP_SECURITY": "none",
        f"{PREFIX}NOTIFY_MAIL_FROM": "botmeter <alerts@botmeter.example>",
        f"{PREFIX}NOTIFY_WEBHOOKS": f"{inbox.endpoint} {SECRET}",
        f"{PREFIX}NOTIFY_PROJECTED": "true",
    }
