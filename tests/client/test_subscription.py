"""What botmeter writes, read by the client: whole, in order, each message once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from botmeter.client import (
    BalanceTable,
    Client,
    Connection,
    SeenInFile,
    SeenInMemory,
    Topics,
    UnreadableRecord,
    alerts,
    balances,
    handoffs,
    interaction,
    open_account,
    purchase_packs,
)
from botmeter.contracts import catalogue
from botmeter.errors import ClusterError
from worker.cluster import Cluster

PATIENCE_S = 120.0
#: Complimentary sessions of the tests' price book.
SESSIONS = 10


def use_up(client: Client, account_id: str) -> None:
    """Opens an account and uses all of its sessions, and asks for one more."""
    client.send(open_account(account_id, plan="growth", issued_by="crm"), PATIENCE_S)
    for number in range(SESSIONS + 1):
        client.publish(interaction(account_id, end_user_id=f"u-{number}", conversation_id=f"c-{number}", bot_id="b"))


def alert_record(cluster: Cluster, id_: str, **changes: object) -> None:
    """Writes an alert as the worker would."""
    value = json.dumps({**catalogue.ALERTS.messages[0].example, **changes}).encode()
    cluster.put(cluster.topics.alerts, "acme", value, headers=[("ce_id", id_.encode())])


@pytest.fixture
def exhausted(cluster: Cluster, connection: Connection) -> Iterator[Cluster]:
    """A cluster on which acme has used all of its sessions, and a worker that goes on."""
    worker = cluster.worker()
    with Client(connection) as client:
        use_up(client, "acme")
    cluster.await_all_taken([worker])
    yield cluster
    worker.kill()


@pytest.mark.kafka
def test_alerts_and_handoffs_come_decoded_and_in_order(exhausted: Cluster, connection: Connection) -> None:
    told = []
    with alerts(connection, group=f"{exhausted.group}-mails") as subscription:
        for received in subscription:
            told.append((received.message.account_id, received.message.percent, received.message.used))
            if len(told) == 2:
                subscription.stop()
    moved = []
    with handoffs(connection, group=f"{exhausted.group}-routing") as subscription_of_handoffs:
        for handoff in subscription_of_handoffs:
            moved.append((handoff.message.type, handoff.message.reason, handoff.id))
            if len(moved) == 2:
                subscription_of_handoffs.stop()

    assert told == [("acme", 80, 8), ("acme", 100, 10)]
    assert [(name, reason) for name, reason, _ in moved] == [
        ("bot_suspended", "sessions_exhausted"),
        ("chat_handed_off", "sessions_exhausted"),
    ]
    assert len({id_ for _, _, id_ in moved}) == 2


@pytest.mark.kafka
def test_a_table_of_balances_is_whole_and_follows(exhausted: Cluster, connection: Connection) -> None:
    with BalanceTable(connection) as table, Client(connection) as client:
        before = table.get("acme")
        nobody = table.get("nobody")
        client.send(purchase_packs("acme", packs=1, issued_by="crm"), PATIENCE_S)
        exhausted.await_true(lambda: table.all()["acme"].status == "active", [], PATIENCE_S, "the table stood still")
        after = table.get("acme")

    assert before is not None
    assert (before.status, before.used, before.remaining) == ("exhausted", 10, 0)
    assert nobody is None
    assert after is not None
    assert (after.total, after.used, after.version > before.version) == (20, 0, True)


@pytest.mark.kafka
def test_what_is_awaited_comes_too_and_a_group_goes_on_where_it_was(cluster: Cluster, connection: Connection) -> None:
    for number in range(5):
        alert_record(cluster, f"alert/{number}")
    cluster.flush()

    async def read(count: int) -> list[str]:
        found: list[str] = []
        async with alerts(connection, group=f"{cluster.group}-mails") as subscription:
            async for received in subscription:
                found.append(received.id)
                if len(found) == count:
                    subscription.stop()
        return found

    assert asyncio.run(read(2)) == ["alert/0", "alert/1"]
    assert asyncio.run(read(3)) == ["alert/2", "alert/3", "alert/4"]


@pytest.mark.kafka
def test_what_was_not_handled_comes_again(cluster: Cluster, connection: Connection) -> None:
    for number in range(2):
        alert_record(cluster, f"alert/{number}")
    cluster.flush()

    found: list[str] = []

    def send_mails() -> None:
        with alerts(connection, group=f"{cluster.group}-mails") as subscription:
            for received in subscription:
                found.append(received.id)
                if received.id == "alert/1":  # the mail server is down
                    raise ConnectionError

    for _ in range(2):
        with pytest.raises(ConnectionError):
            send_mails()

    assert found == ["alert/0", "alert/1", "alert/1"]


@pytest.mark.kafka
def test_a_message_that_was_written_twice_is_given_once(cluster: Cluster, connection: Connection) -> None:
    for number in (0, 0, 1, 0, 1, 2):
        alert_record(cluster, f"alert/{number}")
    cluster.flush()

    found: list[str] = []
    with alerts(connection, group=f"{cluster.group}-mails") as subscription:
        for received in subscription:
            found.append(received.id)
            if received.id == "alert/2":
                subscription.stop()

    assert found == ["alert/0", "alert/1", "alert/2"]


@pytest.mark.kafka
def test_a_type_of_a_later_release_is_passed_over_and_a_strange_record_named(
    cluster: Cluster, connection: Connection
) -> None:
    alert_record(cluster, "alert/0", type="sessions_doubled")
    alert_record(cluster, "alert/1", something_new=1)
    cluster.put(cluster.topics.alerts, "acme", b"hello", headers=[("ce_id", b"alert/2")])
    cluster.flush()

    found: list[str] = []
    with (
        alerts(connection, group=f"{cluster.group}-mails") as subscription,
        pytest.raises(UnreadableRecord, match=r"alerts/\d/2 is not botmeter's"),
    ):
        found.extend(received.id for received in subscription)

    assert found == ["alert/1"]


@pytest.mark.kafka
def test_the_highest_version_is_the_balance(cluster: Cluster, connection: Connection) -> None:
    for version in (7, 9, 8):
        value = json.dumps({**catalogue.BALANCES.messages[0].example, "version": version}).encode()
        cluster.put(cluster.topics.balances, "acme", value, headers=[("ce_id", f"b/{version}".encode())])
    cluster.flush()

    with BalanceTable(connection) as table:
        balance = table.get("acme")
    with balances(connection, group=f"{cluster.group}-copy") as subscription:
        versions = []
        for received in subscription:
            versions.append(received.message.version)
            if len(versions) == 3:
                subscription.stop()

    assert balance is not None
    assert balance.version == 9
    assert versions == [7, 9, 8]


@pytest.mark.kafka
def test_a_missing_topic_is_named(bootstrap_servers: str, topic_prefix: str) -> None:
    topics = Topics.named(topic_prefix, f"{topic_prefix}interactions", f"{topic_prefix}commands")
    nowhere = Connection(bootstrap_servers, topics)

    with (
        alerts(nowhere, group=f"{topic_prefix}mails") as subscription,
        pytest.raises(ClusterError, match=r"alerts.*botmeter topics create"),
    ):
        next(iter(subscription))
    with pytest.raises(ClusterError, match=r"balances.*botmeter topics create"):
        BalanceTable(nowhere).__enter__()


def test_ids_in_memory_are_forgotten_from_the_oldest_on() -> None:
    seen = SeenInMemory(ids_max=2)
    for id_ in ("a", "b", "c"):
        seen.add(id_)

    assert ["a" in seen, "b" in seen, "c" in seen] == [False, True, True]


def test_ids_in_a_file_outlive_the_process(tmp_path: Path) -> None:
    first = SeenInFile(tmp_path / "seen.db")
    first.add("a")
    first.add("a")
    first.close()
    again = SeenInFile(tmp_path / "seen.db")

    assert ["a" in again, "b" in again] == [True, False]
    again.close()
