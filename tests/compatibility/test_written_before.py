"""What earlier versions wrote is read: journals, snapshots, local stores; and a worker goes on with it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from botmeter.contracts import catalogue
from botmeter.contracts.topics import Topic
from botmeter.domain.account import Account, evolve
from botmeter.domain.announcements import balance_of
from botmeter.domain.events import SessionStarted
from botmeter.domain.prices import Rules
from botmeter.engine.store_rocksdb import RocksDbStore
from botmeter.kafka import clients, questions
from botmeter.metering.fold import JournalFold
from botmeter.metering.state import PartitionState
from botmeter.metering.store import MemoryStore, StoreUpdate
from botmeter.replay.tape import TapeRecord
from worker.cluster import Cluster
from worker.model import decode
from worker.traffic import Traffic, now_ms

from .record import WRITTEN

#: 0.1.0, and a commit between it and 0.2.0.
VERSIONS = sorted(path.name for path in WRITTEN.iterdir() if path.is_dir())
Line = dict[str, Any]

#: The data are as old as they are: no time limit may refuse them.
UNLIMITED = {"BOTMETER_LATE_LIMIT_S": str(10**9), "BOTMETER_AHEAD_LIMIT_S": str(10**9)}

every_version = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture
def cluster(bootstrap_servers: str, topic_prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    """Topics of one partition, as the data have them."""
    made = Cluster(bootstrap_servers, topic_prefix, tmp_path, partitions=1)
    yield made
    made.close()


def lines(version: str, topic: str) -> list[Line]:
    return [json.loads(line) for line in (WRITTEN / version / f"{topic}.ndjson").read_text("utf-8").splitlines()]


def values(version: str, topic: str) -> Iterator[bytes]:
    return (value_of(line) or b"" for line in lines(version, topic))


def value_of(line: Line) -> bytes | None:
    value: str | None = line["value"]
    return None if value is None else value.encode("utf-8", "surrogateescape")


def folded(version: str) -> dict[str, tuple[Account, int]]:
    """Each account after the journal, and the time of its last event."""
    accounts: dict[str, tuple[Account, int]] = {}
    for value in values(version, "journal"):
        event = catalogue.JOURNAL.decode(value)
        before = accounts.get(event.account_id)
        accounts[event.account_id] = evolve(before[0] if before else None, event), event.at
    return accounts


def store_of(version: str, directory: Path) -> RocksDbStore:
    with tarfile.open(WRITTEN / version / "store.tar.xz") as archive:
        archive.extractall(directory, filter="data")
    return RocksDbStore(directory)


def test_there_is_data_of_the_release_before_and_of_one_in_between() -> None:
    assert len(VERSIONS) == 2
    assert "0.1.0" in VERSIONS


@every_version
def test_its_journal_leads_to_its_balances(version: str) -> None:
    balances = [catalogue.BALANCES.decode(value) for value in values(version, "balances")]
    latest = {balance.account_id: balance for balance in balances}

    assert len(latest) == 6
    for account_id, (account, at) in folded(version).items():
        assert balance_of(account, at) == latest[account_id]


@every_version
def test_its_journal_restores_what_its_store_has(version: str, tmp_path: Path) -> None:
    """The fold of today over the records of then, against the store that the worker of then left."""
    store = store_of(version, tmp_path)
    records = [
        TapeRecord("journal", 0, line["offset"], line["key"].encode(), value_of(line), line["timestamp"], [])
        for line in lines(version, "journal")
    ]
    state = PartitionState(MemoryStore(), Rules(), cache_windows=1_000_000)
    JournalFold(state, {}, {}).take(records)
    windows, chats = sorted(state.windows.young), sorted(state.chats.young)

    assert len(windows) > 40
    assert list(store.windows(windows)) == [state.windows.young[key] for key in windows]
    assert list(store.chats(chats)) == [state.chats.young[key] for key in chats]
    assert {account.account_id: account for account in store.accounts()} == {
        key.decode(): account for key, account in state.folded().items()
    }
    store.close()


@every_version
def test_its_store_does_not_say_how_long_it_remembers_and_so_is_restored_cold(version: str, tmp_path: Path) -> None:
    store = store_of(version, tmp_path)
    mark = store.mark()
    store.close()

    assert mark is not None
    assert mark.memory_ms == 0
    assert mark.journal_offset > 0


@every_version
def test_its_snapshots_are_read_and_lie_on_the_way_of_the_journal(version: str) -> None:
    found = [catalogue.SNAPSHOTS.decode(value) for value in values(version, "snapshots")]
    last = {account.account_id: account for account, _ in found}

    assert last
    for account_id, account in last.items():
        assert account.version <= folded(version)[account_id][0].version


@pytest.mark.kafka
@every_version
def test_a_worker_goes_on_with_its_topics_and_its_store(version: str, cluster: Cluster) -> None:
    """Its store is opened and made anew from journal and snapshots of then; no session of then is charged again."""
    topics, place = cluster.topics, (cluster.topics.journal.name, 0)
    inputs = {"interactions": topics.interactions, "commands": topics.commands}
    for name, topic in {**inputs, "journal": topics.journal, "snapshots": topics.snapshots}.items():
        publish(cluster, topic, lines(version, name))
    commit_what_was_taken(cluster)
    publish(cluster, topics.interactions, lines(version, "interactions"))  # all of them once more
    leave_the_store(version, cluster)
    worker = cluster.worker(**UNLIMITED).restored(1)
    worker.hears("the store of partition 0: it remembers session starts for 0 h, .*; wiped")
    cluster.await_all_taken([worker])
    Traffic(cluster, seed=5).run(interactions=50, commands=2)
    cluster.flush()
    cluster.await_all_taken([worker])
    worker.leaves()

    journal = [decode(message) for message in cluster.read(topics.journal)[place]]
    known = len(lines(version, "journal"))
    charged = [event.session_id for event in journal if isinstance(event, SessionStarted)]
    assert len(journal) > known
    assert len(charged) == len(set(charged))


def publish(cluster: Cluster, topic: Topic, records: list[Line]) -> None:
    for line in records:
        cluster.put(topic, line["key"] or None, value_of(line), partition=0)
    cluster.flush()


def leave_the_store(version: str, cluster: Cluster) -> None:
    """As an upgrade finds it. The topics here are others than those of then, and so are their offsets."""
    store = store_of(version, cluster.data_dir() / "partition-0")
    known, names = store.mark(), (cluster.topics.journal.name, cluster.topics.snapshots.name)
    assert known is not None
    with clients.make_admin(clients.admin_config({}, cluster.bootstrap_servers)) as admin:
        journal, snapshots = (questions.topic_ids(admin, names)[name] for name in names)
    mark = replace(
        known,
        journal_offset=cluster.ends(cluster.topics.journal)[0],
        topic_id=journal,
        snapshots_topic_id=snapshots,
        written_at=now_ms(),
    )
    store.write(StoreUpdate({}, {}, {}, mark))
    store.close()


def commit_what_was_taken(cluster: Cluster) -> None:
    """All of the inputs so far, as the worker of then had."""
    topics = (cluster.topics.interactions, cluster.topics.commands)
    config = clients.reader_config({}, cluster.bootstrap_servers, cluster.group)
    consumer = clients.make_consumer(config)
    offsets = [TopicPartition(topic.name, 0, cluster.ends(topic)[0]) for topic in topics]
    questions.retried(lambda: consumer.commit(offsets=offsets, asynchronous=False), cluster.group)
    consumer.close()
