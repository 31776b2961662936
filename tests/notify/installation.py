"""One installation's notifiers on the tests' broker: topics, group and database that no other test has."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from botmeter.contracts.catalogue import DELIVERIES, JOURNAL
from botmeter.contracts.delivery import Delivery
from botmeter.contracts.topics import Topic, Topics
from botmeter.domain.contacts import Contacts
from botmeter.kafka import clients
from botmeter.kafka.subscription import Subscription
from botmeter.kafka.topic_setup import create_topics
from botmeter.notify.database import open_database
from botmeter.notify.listing import DeliveryFilter, find
from worker.process import PATIENCE_S, WorkerProcess

from .notices import opened

PARTITIONS: Final = 2
PLANTED: Final = Path(__file__).with_name("planted.py")
#: Faults are overcome within a test.
QUICK: Final = {
    "BOTMETER_NOTIFY_SMTP_SECURITY": "none",
    "BOTMETER_NOTIFY_PORT": "0",
    "BOTMETER_NOTIFY_RETRY_S": "0.2",
    "BOTMETER_NOTIFY_RETRY_MAX_S": "2",
    "BOTMETER_NOTIFY_REPEAT_S": "0.2",
    "BOTMETER_NOTIFY_CLAIM_S": "2",
    "BOTMETER_NOTIFY_SMTP_TIMEOUT_S": "3",
    "BOTMETER_NOTIFY_MAIL_FROM": "botmeter <alerts@botmeter.example>",
    "BOTMETER_NOTIFY_MAX_AGE_S": "1000000000",
    "BOTMETER_KAFKA__SESSION_TIMEOUT_MS": "6000",
}


class Installation:
    """Publishes alerts and runs notifiers."""

    def __init__(self, bootstrap_servers: str, prefix: str, directory: Path, database_url: str = "") -> None:
        """`database_url`: the notifiers' database; empty is the default, SQLite in the data directory."""
        self._database_url = database_url
        self._bootstrap_servers, self._prefix, self._directory = bootstrap_servers, prefix, directory
        self.topics = Topics.named(prefix, f"{prefix}chat.interactions", f"{prefix}billing.commands")
        self._closing = ExitStack()
        with clients.make_admin(clients.admin_config({}, bootstrap_servers)) as admin:
            create_topics(admin, self.topics.all(), PARTITIONS, replication_factor=1)
        self._producer = self._closing.enter_context(
            clients.make_producer(clients.simple_producer_config({"linger.ms": "0"}, bootstrap_servers))
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.close()

    def environment(self, **variables: str) -> dict[str, str]:
        return {
            "BOTMETER_BOOTSTRAP_SERVERS": self._bootstrap_servers,
            "BOTMETER_TOPIC_PREFIX": self._prefix,
            "BOTMETER_INTERACTIONS_TOPIC": self.topics.interactions.name,
            "BOTMETER_COMMANDS_TOPIC": self.topics.commands.name,
            "BOTMETER_NOTIFY_GROUP": f"{self._prefix}notify",
            "BOTMETER_PARTITIONS": str(PARTITIONS),
            "BOTMETER_DATA_DIR": str(self._directory),
            "BOTMETER_NOTIFY_SMTP_HOST": "127.0.0.1",
            **({"BOTMETER_NOTIFY_DATABASE_URL": self._database_url} if self._database_url else {}),
            **QUICK,
            **variables,
        }

    def notifier(self, smtp_port: int, **variables: str) -> WorkerProcess:
        """A running `botmeter notify`, killed at the end of the test if it still runs."""
        environment = self.environment(BOTMETER_NOTIFY_SMTP_PORT=str(smtp_port), **variables)
        return self._closing.enter_context(WorkerProcess(environment, "notify"))

    def doomed(self, smtp_port: int, place: str, moment: str, **variables: str) -> WorkerProcess:
        """The same, but it dies at the named call."""
        environment = self.environment(BOTMETER_NOTIFY_SMTP_PORT=str(smtp_port), **variables)
        program = [sys.executable, str(PLANTED), place, moment]
        return self._closing.enter_context(WorkerProcess(environment, "notify", program))

    def publish(self, topic: Topic, *messages: Mapping[str, Any]) -> None:
        """Write the messages as the worker does, with their `ce_id`, and wait for the broker."""
        for message in messages:
            family = "handoff" if topic == self.topics.handoffs else "alert"
            identity = f"{family}/{message['account_id']}/{message['version']}"
            headers: list[tuple[str, str | bytes | None]] = [("ce_id", identity.encode())]
            self._producer.produce(topic.name, json.dumps(message).encode(), message["account_id"], headers=headers)
            self._producer.poll(0)
        assert self._producer.flush(PATIENCE_S) == 0

    def alerts(self, *messages: Mapping[str, Any]) -> None:
        self.publish(self.topics.alerts, *messages)

    def open_account(self, account_id: str, contacts: Contacts) -> None:
        """Write what the journal says of a new account."""
        self._producer.produce(self.topics.journal.name, JOURNAL.encode(opened(account_id, contacts)), account_id)
        assert self._producer.flush(PATIENCE_S) == 0

    def published(self, number: int) -> list[Delivery]:
        """What the notifiers told of deliveries, once so much was told, in the order of each account."""
        config = clients.follower_config({}, self._bootstrap_servers, f"{self._prefix}reports", "tests")
        found: list[Delivery] = []
        with Subscription(config, [self.topics.deliveries.name], lambda _: {}) as subscription:
            deadline = time.monotonic() + PATIENCE_S
            while len(found) < number:
                assert time.monotonic() < deadline, f"only {found} was published"
                records = subscription.poll(1_000, 0.5)
                found += [DELIVERIES.decode(record.value) for record in records]
        return found

    def await_deliveries(
        self, is_so: Callable[[list[dict[str, Any]]], bool], within_s: float = PATIENCE_S
    ) -> list[dict[str, Any]]:
        """The outbox, once it is so; a database tells nobody when it changes."""
        deadline = time.monotonic() + within_s
        engine = open_database(self._database_url, self._directory / "notify.db")
        try:
            while not is_so(found := find(engine, DeliveryFilter(limit=100_000))):
                assert time.monotonic() < deadline, f"the outbox stays {found[:20]}"
                time.sleep(0.05 + len(found) / 10_000)
        finally:
            engine.dispose()
        return found
