"""Records that are moved by hand, several transactions of one producer: the network may deliver their ends late."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from confluent_kafka.cimpl import NewTopic

from botmeter.embedded import EmbeddedCluster
from botmeter.errors import Retriable, TaskMigrated
from botmeter.kafka import clients, questions
from botmeter.kafka.exactly_once import ExactlyOnce, Note, Sent
from worker.cluster import read_up_to
from worker.proxy import END_TXN, Proxy

pytestmark = pytest.mark.kafka

TOPIC: Final = "letters"
GROUP: Final = "mover"
TRANSACTION_MS: Final = 60_000


@pytest.fixture(scope="module")
def behind_proxy() -> Iterator[tuple[Proxy, EmbeddedCluster]]:
    with Proxy() as proxy, EmbeddedCluster(brokers=1, advertised_ports={1: proxy.port}) as brokers:
        proxy.target = brokers.nodes[0].clients_port
        with clients.make_admin(clients.admin_config({}, brokers.direct_servers)) as admin:
            for created in admin.create_topics([NewTopic(TOPIC, 1, 1)]).values():
                created.result()
        yield proxy, brokers


def mover(servers: str) -> ExactlyOnce:
    writing = clients.producer_config({}, servers, GROUP, TRANSACTION_MS)
    return ExactlyOnce(writing, clients.reader_config({}, servers, GROUP))


def moved(servers: str) -> list[bytes | None]:
    """All that was committed."""
    with clients.make_admin(clients.admin_config({}, servers)) as admin:
        end = questions.end_offsets(admin, TOPIC, [0])[0]
    with clients.make_consumer(clients.reader_config({}, servers, "reader")) as reader:
        return [message.value() for message in read_up_to(reader, {(TOPIC, 0): end})[TOPIC, 0]]


def test_the_end_of_a_transaction_that_comes_late_ends_no_other(behind_proxy: tuple[Proxy, EmbeddedCluster]) -> None:
    """The client repeats it by itself; the first one comes when the records of the next transaction are written."""
    proxy, brokers = behind_proxy
    place = (TOPIC, 0)

    def fail_late() -> None:
        proxy.deliver()
        raise Retriable("as if the program were killed before it sent the note")

    with mover(f"127.0.0.1:{proxy.port}") as moving:
        proxy.keep_requests(END_TXN, 1)
        moving.send([Sent(TOPIC, 0, None, b"first", [])], {place: Note(1, "first")})
        assert proxy.kept[END_TXN] == 1
        with pytest.raises(Retriable):
            moving.send([Sent(TOPIC, 0, None, b"second", [])], {place: Note(2, "second")}, fail_late)

        assert moving.notes([place]) == {place: Note(1, "first")}
    assert moved(brokers.direct_servers) == [b"first"]


def test_who_comes_back_after_a_late_end_leaves_it_to_a_process_that_sent_meanwhile(
    behind_proxy: tuple[Proxy, EmbeddedCluster],
) -> None:
    proxy, brokers = behind_proxy
    place, before = (TOPIC, 0), moved(brokers.direct_servers)
    with mover(f"127.0.0.1:{proxy.port}") as moving:
        proxy.keep_requests(END_TXN, 1)
        moving.send([Sent(TOPIC, 0, None, b"third", [])], {place: Note(3, "third")})
        with mover(brokers.direct_servers) as other:
            other.send([Sent(TOPIC, 0, None, b"fourth", [])], {place: Note(4, "fourth")})
        proxy.deliver()
        with pytest.raises(TaskMigrated):
            moving.send([Sent(TOPIC, 0, None, b"fourth", [])], {place: Note(4, "fourth, of the first")})

    assert moved(brokers.direct_servers) == [*before, b"third", b"fourth"]
