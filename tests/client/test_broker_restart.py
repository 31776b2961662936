"""A client outlives its broker's restarts, and a topic of results that was made anew."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest

from botmeter.client import (
    Accepted,
    BalanceTable,
    Client,
    Connection,
    NoResult,
    alerts,
    interaction,
    open_account,
    purchase_packs,
)
from botmeter.contracts.topics import Topic
from botmeter.embedded import EmbeddedKafka
from botmeter.errors import BotmeterError
from botmeter.kafka.clients import admin_config, make_admin
from botmeter.kafka.topic_setup import check_topics, create_topics
from worker.cluster import Cluster

pytestmark = pytest.mark.kafka

PATIENCE_S = 120.0
#: Complimentary sessions of the tests' price book that bring an account to its threshold.
SESSIONS = 8


@pytest.mark.chaos
def test_commands_tables_and_subscriptions_go_on_after_a_restart(tmp_path: Path) -> None:
    with EmbeddedKafka(report=print) as broker:
        cluster = Cluster(broker.bootstrap_servers, "restart.", tmp_path)
        cluster.worker()
        connection = Connection(cluster.bootstrap_servers, cluster.topics)
        with (
            Client(connection) as client,
            BalanceTable(connection) as table,
            alerts(connection, group="mails") as subscription,
        ):
            client.send(open_account("acme", plan="growth", issued_by="crm"), PATIENCE_S)
            broker.stop()
            waiting: list[Accepted | object] = []
            buying = threading.Thread(
                target=lambda: waiting.append(client.send(purchase_packs("acme", packs=1, issued_by="crm"), PATIENCE_S))
            )
            buying.start()
            broker.start()
            buying.join(PATIENCE_S)
            for number in range(2 * SESSIONS):
                said = interaction("acme", end_user_id=f"u-{number}", conversation_id="c", bot_id="b")
                client.publish(said)
            received = next(iter(subscription))
            cluster.await_true(
                lambda: getattr(table.get("acme"), "used", 0) == 2 * SESSIONS, [], PATIENCE_S, "the table stood still"
            )
        cluster.close()

    assert [type(result) for result in waiting] == [Accepted]
    assert (received.message.percent, received.message.used) == (80, 16)


def test_results_are_found_again_after_their_topic_was_made_anew(cluster: Cluster, connection: Connection) -> None:
    opening = open_account("acme", plan="growth", issued_by="crm")
    result = None
    with Client(connection) as client:
        with pytest.raises(NoResult):
            client.send(opening, timeout_s=0.5)
        make_anew(cluster, cluster.topics.command_results)
        cluster.worker()
        while result is None:  # until the reader has noticed, it waits for what will not come
            with contextlib.suppress(BotmeterError):
                result = client.send(opening, timeout_s=5.0)

    assert isinstance(result, Accepted)


def make_anew(cluster: Cluster, topic: Topic) -> None:
    """Deletes a topic with all that is in it, and makes it again."""
    with make_admin(admin_config({}, cluster.bootstrap_servers)) as admin:
        [deleted] = admin.delete_topics([topic.name]).values()
        deleted.result()
        cluster.await_true(
            lambda: check_topics(admin, [topic], cluster.partitions)[0].state == "missing",
            [],
            PATIENCE_S,
            "the topic was not deleted",
        )
        create_topics(admin, [topic], cluster.partitions, replication_factor=1)
