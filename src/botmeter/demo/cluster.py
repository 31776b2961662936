"""Everything that has to run: an embedded Apache Kafka with botmeter's topics, worker, notifier and web server."""

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
#: One answer of the group's coordinator.
_ANSWER_TIMEOUT_S: Final = 5.0
#: With what `botmeter web --demo` tells where it is, and how to log in.
_ADDRESS_SAID: Final = "listening at "
_LOGIN_SAID: Final = "log in at "


@dataclass(frozen=True, slots=True)
class Cluster:
    """What runs, and how to reach it."""

    settings: Settings
    worker: Program
    notifier: Program
    #: Billing page and API, with the read side inside.
    web: Program
    inbox: Inbox
    admin: AdminClient
    #: Asks for the group's offsets, and does nothing else.
    asker: Consumer

    @property
    def topics(self) -> Topics:
        """All topics."""
        return self.settings.topics()

    @property
    def reader_config(self) -> clients.Config:
        """Of a client that reads what is committed."""
        return clients.reader_config({}, self.settings.bootstrap_servers, self.settings.group)

    def ends(self, topics: Iterable[str]) -> dict[Place, int]:
        """Where the partitions of the topics end now."""
        return ends_of(self.admin, topics, PARTITIONS)

    def taken(self) -> Mapping[Place, int]:
        """Where the worker stands in each input partition, by the offsets that its transactions committed."""
        inputs = (self.topics.interactions.name, self.topics.commands.name)
        asked = [TopicPartition(topic, number) for topic in inputs for number in range(PARTITIONS)]
        answers = questions.retried(
            lambda: self.asker.committed(asked, timeout=_ANSWER_TIMEOUT_S), "the worker's group"
        )
        return {(answer.topic, answer.partition): max(answer.offset, 0) for answer in answers}


@contextmanager
def running_cluster(report: Callable[[str], None]) -> Iterator[Cluster]:
    """All of it, gone when the block ends. `report` is told in a line each what is going on.

    Raises EmbeddedKafkaUnavailable with what to do when Apache Kafka cannot be had here, and ProgramEnded.
    """
    with EmbeddedKafka(report=report) as broker:
        settings = Settings(bootstrap_servers=broker.bootstrap_servers, partitions=PARTITIONS, replication_factor=1)
        config = clients.reader_config({}, broker.bootstrap_servers, settings.group)
        with clients.make_admin(clients.admin_config({}, broker.bootstrap_servers)) as admin:
            create_topics(admin, settings.topics().all(), PARTITIONS, settings.replication_factor)
            asker = clients.make_consumer(config)
            try:
                with Inbox() as inbox, _programs(settings, inbox, report) as (worker, notifier, web):
                    yield Cluster(settings, worker, notifier, web, inbox, admin, asker)
            finally:
                asker.close()


@contextmanager
def _programs(
    settings: Settings, inbox: Inbox, report: Callable[[str], None]
) -> Iterator[tuple[Program, Program, Program]]:
    """Worker, notifier and web server; the web server can be reached, and the inbox leads to it."""
    report("starting botmeter worker, notify and web")
    with (
        Program(_variables(settings), "worker") as worker,
        Program(_notifier_variables(settings, inbox), "notify") as notifier,
        Program(_variables(settings) | {f"{PREFIX}HTTP_PORT": "0"}, "web", "--demo") as web,
    ):
        address = web.await_said(_ADDRESS_SAID)
        inbox.lead_to_billing(web.await_said(_LOGIN_SAID))
        report(f"Admin > Billing is at {address}")
        report(f"  log in as an operator: {inbox.billing_url}")
        yield worker, notifier, web


def _variables(settings: Settings) -> dict[str, str]:
    """What all are told; all else is left at its default."""
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
