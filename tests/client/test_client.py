"""The client on a real broker with a real worker: what it sends is decided, and what it waits for comes."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from botmeter.client import (
    Accepted,
    AsyncClient,
    Client,
    Connection,
    NoResult,
    NotDelivered,
    Rejected,
    Topics,
    interaction,
    open_account,
    purchase_packs,
    reduce_packs,
)
from botmeter.contracts.topics import partition_of
from botmeter.embedded.ports import free_ports
from botmeter.errors import ClusterError
from worker.cluster import Cluster

pytestmark = pytest.mark.kafka

PATIENCE_S = 120.0


def test_a_command_is_answered_and_the_same_again_gets_the_same_answer(
    cluster: Cluster, connection: Connection
) -> None:
    cluster.worker()
    with Client(connection) as client:
        opening = open_account("acme", plan="growth", issued_by="crm", command_id="k-1")
        opened = client.send(opening, PATIENCE_S)
        again = client.send(opening, PATIENCE_S)
        refused = client.send(reduce_packs("acme", packs=1, issued_by="crm"), PATIENCE_S)

    assert (type(opened), opened.account_id, opened.command_id) == (Accepted, "acme", "k-1")
    assert again == opened
    assert isinstance(refused, Rejected)
    assert refused.reason == "reduces_below_zero"


def test_interactions_go_where_the_account_is_and_are_metered(cluster: Cluster, connection: Connection) -> None:
    worker = cluster.worker()
    with Client(connection) as client:
        for account_id in ("acme", "globex"):
            client.send(open_account(account_id, plan="growth", issued_by="crm"), PATIENCE_S)
        places = {
            account_id: client.publish(interaction(account_id, end_user_id="u", conversation_id="c", bot_id="b"))
            for account_id in ("acme", "globex")
        }
    cluster.await_all_taken([worker])

    assert {account_id: place.partition for account_id, place in places.items()} == {
        account_id: partition_of(account_id.encode(), cluster.partitions) for account_id in places
    }
    assert str(places["acme"]) == f"{cluster.topics.interactions.name}/{places['acme'].partition}/0"
    assert sum(map(len, cluster.read(cluster.topics.dead_letters).values())) == 0


def test_one_reader_serves_many_who_wait(cluster: Cluster, connection: Connection) -> None:
    cluster.worker()
    with Client(connection) as client, ThreadPoolExecutor(16) as threads:
        client.send(open_account("acme", plan="growth", issued_by="crm"), PATIENCE_S)
        results = list(
            threads.map(
                lambda number: client.send(
                    purchase_packs("acme", packs=1, issued_by="crm", command_id=f"k-{number}"), PATIENCE_S
                ),
                range(64),
            )
        )
        readers = [thread for thread in threading.enumerate() if thread.name == "botmeter-results"]

    assert [result.command_id for result in results] == [f"k-{number}" for number in range(64)]
    assert len(readers) == 1


def test_the_awaited_client_serves_many_at_once(cluster: Cluster, connection: Connection) -> None:
    cluster.worker()

    async def buy() -> set[type]:
        async with AsyncClient(connection) as client:
            await client.send(open_account("acme", plan="growth", issued_by="crm"), PATIENCE_S)
            chat = interaction("acme", end_user_id="u", conversation_id="c", bot_id="b")
            publishing = asyncio.create_task(client.publish(chat))
            results = await asyncio.gather(
                *(client.send(purchase_packs("acme", packs=1, issued_by="crm"), PATIENCE_S) for _ in range(64)),
            )
            assert (await publishing).offset == 0
            return {type(result) for result in results}

    assert asyncio.run(buy()) == {Accepted}


def test_without_a_worker_the_wait_ends_and_says_where_the_command_is(connection: Connection) -> None:
    with (
        Client(connection) as client,
        pytest.raises(NoResult, match=r"k-1 of account acme within 0.5 s; it is at .*/0"),
    ):
        client.send(open_account("acme", plan="growth", issued_by="crm", command_id="k-1"), timeout_s=0.5)


def test_who_stops_waiting_is_forgotten(connection: Connection) -> None:
    async def give_up() -> int:
        async with AsyncClient(connection) as client:
            with pytest.raises(NoResult):
                await client.send(open_account("acme", plan="growth", issued_by="crm"), timeout_s=0.5)
            return len(client._sender._results._waiting)

    assert asyncio.run(give_up()) == 0


def test_a_missing_topic_is_named_with_the_command_that_makes_it(bootstrap_servers: str, topic_prefix: str) -> None:
    topics = Topics.named(topic_prefix, f"{topic_prefix}interactions", f"{topic_prefix}commands")
    with (
        Client(Connection(bootstrap_servers, topics)) as client,
        pytest.raises(ClusterError, match=r"command-results.*botmeter topics create"),
    ):
        client.send(open_account("acme", plan="growth", issued_by="crm"))


def test_without_a_broker_an_interaction_is_not_delivered() -> None:
    [port] = free_ports(1)
    nowhere = Connection(f"localhost:{port}", options={"message.timeout.ms": "200"})
    with Client(nowhere) as client, pytest.raises(NotDelivered):
        client.publish(interaction("acme", end_user_id="u", conversation_id="c", bot_id="b"))
