"""A worker that comes back goes on as if it had never been away, whatever is left of its store (J1, J4)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from confluent_kafka import Producer

from botmeter.engine import kafka
from botmeter.engine.store import StoreMark, StoreUpdate
from botmeter.engine.store_rocksdb import RocksDbStore

from .cluster import Cluster
from .model import require_outputs
from .process import PATIENCE_S, WorkerProcess
from .traffic import Traffic, command, interaction, opening

pytestmark = pytest.mark.kafka


def serve(cluster: Cluster, traffic: Traffic, **variables: str) -> WorkerProcess:
    """A worker for as long as some traffic lasts, half of which came while there was none; it has been stopped."""
    traffic.run(interactions=150, commands=3)
    cluster.flush()
    worker = cluster.worker(**variables).restored(cluster.partitions)
    for _ in range(5):
        traffic.run(interactions=30, commands=2)
        cluster.flush()
    cluster.await_all_taken([worker])
    worker.leaves()
    return worker


def leave_the_store(_: Cluster) -> None:
    """Nothing happens to it between two lives of the worker."""


def lose_the_store(cluster: Cluster) -> None:
    shutil.rmtree(cluster.data_dir())


def mark_the_stores(change: Callable[[StoreMark], StoreMark]) -> Callable[[Cluster], None]:
    """Has the stores of all partitions claim something else of themselves."""

    def mark(cluster: Cluster) -> None:
        for partition in range(cluster.partitions):
            store = RocksDbStore(cluster.data_dir() / f"partition-{partition}")
            known = store.mark()
            assert known is not None
            store.write(StoreUpdate({}, {}, {}, change(known)))
            store.close()

    return mark


#: What happens between two lives of the worker, and what it says of its store then.
BETWEEN_LIVES: list[tuple[Callable[[Cluster], None], str]] = [
    (leave_the_store, r"warm restore of 3 accounts"),
    (lose_the_store, r"cold restore of 3 accounts"),
    (mark_the_stores(lambda mark: replace(mark, topic_id="another")), r"the journal topic was made anew; wiped"),
    (
        mark_the_stores(lambda mark: replace(mark, journal_offset=10**9)),
        r"journal offset 1000000000 is outside .* wiped",
    ),
    (mark_the_stores(lambda mark: replace(mark, written_at=0)), r"it is too old; wiped"),
    (leave_the_store, r"warm restore of 3 accounts"),
]


def test_a_worker_goes_on_with_its_store_without_it_and_with_one_that_cannot_be_trusted(cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=11)
    traffic.open_accounts()
    serve(cluster, traffic)
    for prepare, told in BETWEEN_LIVES:
        prepare(cluster)
        worker = serve(cluster, traffic)
        worker.hears(told, times=cluster.partitions)

    require_outputs(cluster)


def test_a_cold_restore_reads_whole_the_journal_that_no_snapshot_covers(cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=12)
    traffic.open_accounts()
    serve(cluster, traffic, BOTMETER_SNAPSHOT_INTERVAL_S="100000")
    lose_the_store(cluster)
    worker = serve(cluster, traffic)

    worker.hears(r"cold restore of 3 accounts, [1-9]\d* events", times=cluster.partitions)
    require_outputs(cluster)


def test_an_account_too_large_for_a_snapshot_is_restored_from_the_journal(cluster: Cluster) -> None:
    """C1: the results of every command of 30 days are kept, and an issuer may be a busy one."""
    traffic, name = Traffic(cluster, seed=18), "😀" * 250
    traffic.ask(opening("acme"))
    for number in range(5_000):
        traffic.ask(command("set_contacts", "acme", f"{name}{number}", contacts=[]))
    cluster.flush()
    worker = cluster.worker()
    cluster.await_all_taken([worker])
    worker.hears(r"account acme: \d+ bytes of state are too many for a snapshot")
    worker.leaves()
    lose_the_store(cluster)
    worker = cluster.worker()
    traffic.ask(command("set_contacts", "acme", f"{name}0", contacts=["somebody@acme.example"]))
    cluster.flush()
    cluster.await_all_taken([worker])
    worker.leaves()

    require_outputs(cluster)
    *_, first_again = cluster.read(cluster.topics.command_results)[cluster.topics.command_results.name, 0]
    assert json.loads(first_again.value() or b"")["version"] == 5


@contextmanager
def third_party(cluster: Cluster) -> Iterator[Producer]:
    """Another transactional producer that writes where only botmeter should."""
    config = kafka.producer_config({}, cluster.bootstrap_servers, f"{cluster.group}-third-party", 60_000)
    with kafka.make_producer(config) as producer:
        producer.init_transactions(PATIENCE_S)
        yield producer


def write_uncommitted(producer: Producer, cluster: Cluster, partition: int) -> None:
    producer.begin_transaction()
    producer.produce(cluster.topics.journal.name, b"never to be read", b"acme", partition)
    assert producer.flush(PATIENCE_S) == 0


def test_a_restore_waits_for_an_open_transaction_below_what_is_committed(cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=13)
    traffic.open_accounts()
    with third_party(cluster) as producer:
        worker = cluster.worker().restored(cluster.partitions)
        write_uncommitted(producer, cluster, partition=0)
        traffic.run(interactions=200, commands=5)
        cluster.flush()
        cluster.await_all_taken([worker])
        worker.leaves()
        lose_the_store(cluster)
        worker = cluster.worker()
        worker.hears("partition 1: cold restore")
        traffic.run(interactions=50)
        cluster.flush()

        assert "partition 0: cold restore" not in worker.said
        producer.abort_transaction(PATIENCE_S)
        worker.hears("partition 0: cold restore of 3 accounts")
    cluster.await_all_taken([worker])
    worker.leaves()

    require_outputs(cluster)


def test_a_restore_ends_although_the_journal_ends_with_what_is_never_read(cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=14)
    traffic.open_accounts()
    serve(cluster, traffic)
    with third_party(cluster) as producer:
        for prepare in (leave_the_store, lose_the_store):
            prepare(cluster)
            for partition in range(cluster.partitions):
                write_uncommitted(producer, cluster, partition)
                producer.abort_transaction(PATIENCE_S)
            serve(cluster, traffic)

    require_outputs(cluster)


def test_a_worker_that_died_in_its_very_first_transaction_can_begin_again(cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=15)
    traffic.open_accounts()
    with third_party(cluster) as producer:
        write_uncommitted(producer, cluster, partition=0)
        producer.abort_transaction(PATIENCE_S)
    serve(cluster, traffic)

    require_outputs(cluster)


def test_a_journal_with_a_gap_stops_the_worker(cluster: Cluster) -> None:
    traffic, topics = Traffic(cluster, seed=16), cluster.topics
    traffic.ask(opening("acme"))
    traffic.say(interaction("acme", "u-1"))
    cluster.flush()
    worker = cluster.worker()
    cluster.await_all_taken([worker])
    worker.leaves()
    last = cluster.read(topics.journal)[topics.journal.name, 0][-1]
    event = json.loads(last.value() or b"")
    cluster.put(topics.journal, b"acme", json.dumps({**event, "version": event["version"] + 2}).encode())
    cluster.flush()
    worker = cluster.worker()

    assert worker.ended() == 1
    worker.hears(rf"the journal has a gap at offset \d+: acme: version {event['version'] + 2} follows version")


def test_a_journal_without_committed_offsets_stops_the_worker(cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=17)
    traffic.ask(opening("acme"))
    cluster.flush()
    worker = cluster.worker()
    cluster.await_all_taken([worker])
    worker.leaves()
    worker = cluster.worker("another", BOTMETER_GROUP=f"{cluster.group}-another")

    assert worker.ended() == 3
    worker.hears("^botmeter: partition 0 has a journal, but its inputs have no committed offsets: .* BOTMETER_GROUP")
    assert "Traceback" not in worker.said
