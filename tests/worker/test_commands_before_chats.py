"""Every command that was acknowledged before a chat was sent is taken before it, whatever holds the commands up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.cimpl import NewTopic

from botmeter.contracts.topics import Topics, partition_of
from botmeter.embedded import EmbeddedCluster
from botmeter.kafka import clients, questions

from .cluster import PARTITIONS, Cluster, Place
from .model import require_outputs_of_a_backlog, verified
from .outage import LASTING_MS
from .process import PATIENCE_S, WorkerProcess
from .proxy import Proxy
from .traffic import ACCOUNTS, Json, Traffic, command, interaction, opening

pytestmark = pytest.mark.kafka

#: The broker that leads the commands of one partition; all else is led by the other.
SLOW, QUICK = 2, 1
BEHIND_THE_SLOW = [name for name in ACCOUNTS if partition_of(name.encode(), PARTITIONS) == 0]
ELSEWHERE = next(name for name in ACCOUNTS if partition_of(name.encode(), PARTITIONS) == 1)


def create_topics(servers: str, topics: Topics) -> None:
    """With the leaders where the test wants them."""
    with clients.make_admin(clients.admin_config({}, servers)) as admin:
        for topic in topics.all():
            first = SLOW if topic is topics.commands else QUICK
            places, config = [[first], [QUICK]], dict(topic.config)
            new = NewTopic(topic.name, PARTITIONS, replica_assignment=places, config=config)
            [made] = admin.create_topics([new]).values()
            made.result(PATIENCE_S)
        questions.topic_ids(admin, [topic.name for topic in topics.all()])


def journal(cluster: Cluster, number: int) -> list[Json]:
    place: Place = (cluster.topics.journal.name, number)
    return [json.loads(message.value() or b"") for message in cluster.read(cluster.topics.journal)[place]]


def await_taken(cluster: Cluster, worker: WorkerProcess, place: Place) -> None:
    [end] = [cluster.ends(topic)[place[1]] for topic in cluster.topics.all() if topic.name == place[0]]
    cluster.await_true(lambda: cluster.committed()[place] >= end, [worker], PATIENCE_S, f"{place} was not taken")


@pytest.fixture
def pair(topic_prefix: str, tmp_path: Path) -> Iterator[tuple[Cluster, Proxy, str]]:
    """Topics on two brokers, the proxy before the slow one, and where workers find both."""
    with Proxy() as proxy, EmbeddedCluster(brokers=2, advertised_ports={SLOW: proxy.port}) as brokers:
        proxy.target = brokers.nodes[SLOW - 1].clients_port
        topics = Topics.named(topic_prefix, f"{topic_prefix}chat.interactions", f"{topic_prefix}billing.commands")
        create_topics(brokers.direct_servers, topics)
        cluster = Cluster(brokers.direct_servers, topic_prefix, tmp_path)
        yield cluster, proxy, brokers.bootstrap_servers
        cluster.close()


def test_a_chat_waits_for_commands_whose_leader_is_slow_to_tell_of_them(pair: tuple[Cluster, Proxy, str]) -> None:
    """The worker believes to be at the end of the commands, and the broker of the chats answers at once."""
    cluster, proxy, servers = pair
    traffic, interactions = Traffic(cluster, seed=1), cluster.topics.interactions.name
    worker = cluster.worker(BOTMETER_BOOTSTRAP_SERVERS=servers).restored(cluster.partitions)
    for account_id in (BEHIND_THE_SLOW[0], ELSEWHERE):
        traffic.ask(opening(account_id))
    cluster.flush()
    cluster.await_all_taken([worker])

    proxy.hold_fetches()
    traffic.ask(opening(BEHIND_THE_SLOW[1]))
    traffic.ask(command("purchase_packs", BEHIND_THE_SLOW[0], "packs", packs=1))
    cluster.flush()
    for number in range(5):
        traffic.say(interaction(BEHIND_THE_SLOW[number % 2], f"u-{number}"))
    cluster.flush()
    traffic.say(interaction(ELSEWHERE, "u"))
    cluster.flush()
    await_taken(cluster, worker, (interactions, 1))  # one of the two is slow, and holds up its own chats alone
    assert cluster.committed()[interactions, 0] <= 0
    proxy.release()
    cluster.await_all_taken([worker])

    types = [event["type"] for event in journal(cluster, 0)]
    assert types[-5:] == ["session_started"] * 5, types
    assert {"account_opened", "packs_purchased"} <= set(types[:-5])
    require_outputs_of_a_backlog(cluster)
    assert worker.stop() == 0


def test_chats_wait_two_seconds_for_a_transaction_that_stays_open_and_then_go_on(cluster: Cluster) -> None:
    traffic, interactions = Traffic(cluster, seed=2), cluster.topics.interactions.name
    [home] = {partition_of(name.encode(), PARTITIONS) for name in BEHIND_THE_SLOW}
    worker = cluster.worker().restored(cluster.partitions)
    traffic.ask(opening(BEHIND_THE_SLOW[0]))
    cluster.flush()
    cluster.await_all_taken([worker])
    config = clients.producer_config({}, cluster.bootstrap_servers, f"{cluster.group}-billing", LASTING_MS)
    with clients.make_producer(config) as billing:
        billing.init_transactions(PATIENCE_S)
        billing.begin_transaction()
        asked = json.dumps(command("purchase_packs", BEHIND_THE_SLOW[0], "packs", packs=1))
        billing.produce(cluster.topics.commands.name, asked, BEHIND_THE_SLOW[0], home)
        assert billing.flush(PATIENCE_S) == 0

        for number in range(3):
            traffic.say(interaction(BEHIND_THE_SLOW[0], f"u-{number}"))
            cluster.flush()
            await_taken(cluster, worker, (interactions, home))
            worker.hears("a transaction on the commands has been open for 2 s, from offset 1 on")
        billing.commit_transaction(PATIENCE_S)
    cluster.await_all_taken([worker])

    types = [event["type"] for event in journal(cluster, home)]
    assert [type_ for type_ in types if type_ in ("session_started", "packs_purchased")] == [
        *["session_started"] * 3,
        "packs_purchased",
    ]
    assert verified(cluster).total == 0
    assert sum("a transaction on the commands" in line for line in worker.lines) == 1
    assert worker.stop() == 0
