"""A worker that comes back goes on as if it had never been away, whatever is left of its store (J1, J4)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from threading import Event as Flag

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from botmeter.clock import Clock
from botmeter.engine.restore import Restorer
from botmeter.engine.store_rocksdb import RocksDbStore
from botmeter.errors import ClusterError
from botmeter.kafka import clients
from botmeter.kafka.reader import RestoreStopped, committed_records
from botmeter.metering.store import StoreMark, StoreUpdate

from .cluster import Cluster
from .model import require_outputs
from .outage import LASTING_MS, make_anew
from .process import PATIENCE_S, WorkerProcess
from .traffic import Traffic, command, interaction, opening

pytestmark = pytest.mark.kafka

#: How the log begins to tell of a partition that cannot go on.
FAILED = r" ERROR partition \d FAILED, the others go on: "


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


def spoil_an_account(cluster: Cluster) -> None:
    """As a failing disk would: the store of each partition opens, but not all of its accounts can be read."""
    for partition in range(cluster.partitions):
        store = RocksDbStore(cluster.data_dir() / f"partition-{partition}")
        known = store.mark()
        assert known is not None
        store.write(StoreUpdate({"spoiled": b"rubbish"}, {}, {}, known))
        store.close()


#: What happens between two lives of the worker, and what it says of its store then.
BETWEEN_LIVES: list[tuple[Callable[[Cluster], None], str]] = [
    (leave_the_store, r"warm restore of 3 accounts"),
    (lose_the_store, r"cold restore of 3 accounts"),
    (spoil_an_account, r"the store at .* failed: not an account: .*; wiped"),
    (mark_the_stores(lambda mark: replace(mark, topic_id="another")), r"the journal topic was recreated; wiped"),
    (mark_the_stores(lambda mark: replace(mark, journal_offset=-1)), r"the journal begins at 0, after .* wiped"),
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


def test_a_store_ahead_of_its_journal_is_refused(cluster: Cluster) -> None:
    """Committed events were lost: going on would charge again, and use versions and ids again (J1)."""
    traffic = Traffic(cluster, seed=21)
    traffic.open_accounts()
    serve(cluster, traffic)
    mark_the_stores(lambda mark: replace(mark, journal_offset=10**9))(cluster)
    worker = cluster.worker()

    worker.hears(FAILED + r"the store of partition \d reflects the journal up to offset 1000000000, but .* were lost")
    worker.leaves()


def test_after_a_clean_stop_nothing_is_read_again(cluster: Cluster) -> None:
    """What the snapshots lack is kept in the store, and written to the snapshots after it."""
    traffic = Traffic(cluster, seed=22)
    traffic.open_accounts()
    serve(cluster, traffic, BOTMETER_SNAPSHOT_INTERVAL_S="100000")
    worker = serve(cluster, traffic, BOTMETER_SNAPSHOT_INTERVAL_S="100000")

    worker.hears(r"warm restore of \d+ accounts, 0 events", times=cluster.partitions)
    lose_the_store(cluster)
    serve(cluster, traffic)
    require_outputs(cluster)


def test_a_cold_restore_reads_whole_the_journal_that_no_snapshot_covers(cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=12)
    traffic.open_accounts()
    serve(cluster, traffic, BOTMETER_SNAPSHOT_INTERVAL_S="100000")
    lose_the_store(cluster)
    worker = serve(cluster, traffic)

    worker.hears(r"cold restore of 3 accounts, [1-9]\d* events", times=cluster.partitions)
    require_outputs(cluster)


@pytest.mark.chaos
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
    worker = cluster.worker()
    worker.hears("partition 0: warm restore of 1 accounts, 0 events")
    traffic.ask(opening("initech"))  # a neighbour, whose snapshot tells from where a cold restore reads the journal
    cluster.flush()
    cluster.await_all_taken([worker])
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
    config = clients.producer_config({}, cluster.bootstrap_servers, f"{cluster.group}-third-party", LASTING_MS)
    with clients.make_producer(config) as producer:
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


def test_a_journal_with_a_gap_fails_its_partition(cluster: Cluster) -> None:
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

    worker.hears(FAILED + rf"the journal has a gap at offset \d+: acme: version {event['version'] + 2} follows version")
    worker.leaves()


def test_a_journal_without_committed_offsets_fails_its_partition(cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=17)
    traffic.ask(opening("acme"))
    cluster.flush()
    worker = cluster.worker()
    cluster.await_all_taken([worker])
    worker.leaves()
    worker = cluster.worker("another", BOTMETER_GROUP=f"{cluster.group}-another")

    worker.hears(FAILED + "partition 0 has a journal, but its inputs have no committed offsets: .* BOTMETER_GROUP")
    worker.leaves()


@pytest.fixture
def make_restorer(cluster: Cluster) -> Iterator[Callable[..., Restorer]]:
    """Makes what restores partitions in a worker of a group, from what the worker of the test has left."""
    with ExitStack() as closing:
        admin = closing.enter_context(clients.make_admin(clients.admin_config({}, cluster.bootstrap_servers)))

        def make(group: str, kind: type[Consumer] = Consumer) -> Restorer:
            reading = clients.reader_config({}, cluster.bootstrap_servers, group)
            made = Restorer(cluster.restore_settings(), lambda: kind(reading), admin, Clock())
            closing.callback(made.close)
            return made

        yield make


def test_a_journal_that_lost_records_which_snapshots_or_a_store_tell_of_fails_its_partition(
    cluster: Cluster, make_restorer: Callable[..., Restorer]
) -> None:
    """Going on would give allowance again that is used up (J1)."""
    traffic, topics = Traffic(cluster, seed=19), cluster.topics
    traffic.open_accounts()
    serve(cluster, traffic, BOTMETER_SNAPSHOT_INTERVAL_S="100000")
    store = cluster.data_dir().rename(cluster.directory / "kept")
    make_anew(cluster, topics.journal)
    worker = cluster.worker()

    worker.hears(FAILED + r"the journal of partition \d ends at offset 0, but its snapshots reflect events up to \d+")
    worker.leaves()

    lose_the_store(cluster)
    store.rename(cluster.data_dir())
    make_anew(cluster, topics.snapshots)
    restorer = make_restorer(cluster.group)
    for _ in range(2):  # the store must be there for the next start, too
        with pytest.raises(ClusterError, match=r"partition 0 has a local store with accounts .* empty journal"):
            restorer.restore(0, Flag())

    restored = make_restorer(f"{cluster.group}-anew").restore(0, Flag())
    restored.store.close()
    assert restored.meter.state.accounts == {}


def test_accounts_whose_snapshots_are_gone_are_all_read_from_the_journal_and_written_again(
    cluster: Cluster, make_restorer: Callable[..., Restorer]
) -> None:
    """Snapshots are a cache. One was written again by a worker that did not know, and speaks for its neighbours."""
    traffic, topics = Traffic(cluster, seed=20), cluster.topics
    traffic.open_accounts()
    serve(cluster, traffic)
    *_, last = cluster.read(topics.snapshots)[topics.snapshots.name, 0]
    make_anew(cluster, topics.snapshots)
    cluster.put(topics.snapshots, last.key(), last.value(), partition=0)
    cluster.flush()
    restored = make_restorer(cluster.group).restore(0, Flag())
    restored.store.close()

    accounts = restored.meter.state.folded()
    assert len(accounts) == 3
    assert restored.snapshots.floor(restored.journal_offset) == 0
    assert restored.snapshots.due(0.0, 1_000) == accounts


class ForgottenFor(Consumer):
    """Told a few times that the group has committed nothing, as by a broker that has just returned (KAFKA-20416)."""

    times = 0

    def committed(self, partitions: list[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
        ForgottenFor.times -= 1
        found = super().committed(partitions, timeout)
        return [TopicPartition(each.topic, each.partition) for each in found] if ForgottenFor.times >= 0 else found


def test_offsets_that_a_broker_has_forgotten_for_a_moment_are_asked_for_again(
    cluster: Cluster, make_restorer: Callable[..., Restorer]
) -> None:
    traffic = Traffic(cluster, seed=23)
    traffic.open_accounts()
    serve(cluster, traffic)
    ForgottenFor.times = 3
    restored = make_restorer(cluster.group, ForgottenFor).restore(0, Flag())
    restored.store.close()

    assert restored.interactions_from == cluster.ends(cluster.topics.interactions)[0]
    assert ForgottenFor.times < 0


def test_a_reader_that_was_stopped_does_not_go_on_reading(cluster: Cluster) -> None:
    """It goes back to the pool, and would fetch what nobody asks for."""
    topic, stop = cluster.topics.interactions, Flag()
    cluster.put(topic, b"acme", b"?", partition=0)
    cluster.flush()
    with clients.make_consumer(clients.reader_config({}, cluster.bootstrap_servers, cluster.group)) as reader:
        chunks = committed_records(reader, topic.name, 0, 0, 10, stop)
        assert [message.value() for message in next(chunks)] == [b"?"]
        assert reader.assignment() != []
        stop.set()
        with pytest.raises(RestoreStopped):
            next(chunks)

        assert reader.assignment() == []
