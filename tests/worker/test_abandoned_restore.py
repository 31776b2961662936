"""A partition that goes and comes back at once: its new restore and the one that is not wanted any more."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event as Flag

import pytest

from botmeter.engine import kafka
from botmeter.engine.reader import RestoreStopped
from botmeter.engine.restore import Restorer, RestoreSettings
from botmeter.engine.store_rocksdb import RocksDbStore
from botmeter.errors import TaskCorrupted

from .cluster import Cluster
from .outage import open_transaction
from .process import PATIENCE_S

pytestmark = pytest.mark.kafka


@pytest.fixture
def restorer(cluster: Cluster) -> Iterator[Restorer]:
    reading = kafka.reader_config({}, cluster.bootstrap_servers, cluster.group)
    admin = kafka.make_admin(kafka.admin_config({}, cluster.bootstrap_servers))
    settings = RestoreSettings(
        topics=cluster.topics,
        rules=cluster.settings.rules(),
        partitions=cluster.partitions,
        data_dir=cluster.data_dir(),
        cache_windows=100,
        snapshot_interval_s=1.0,
        store_max_age_ms=1_000_000,
    )
    made = Restorer(settings, lambda: kafka.make_consumer(reading), admin)
    yield made
    made.close()


def await_store(cluster: Cluster, path: Path) -> None:
    """Until the store cannot be opened because somebody else has it."""

    def is_open() -> bool:
        try:
            RocksDbStore(path).close()
        except TaskCorrupted:
            return True
        return False

    cluster.await_true(is_open, [], PATIENCE_S, "the store was not opened")


def test_a_restore_leaves_the_store_to_the_one_that_follows_it(cluster: Cluster, restorer: Restorer) -> None:
    """The first is held back by somebody's open transaction, with its store open, when the partition is revoked."""
    unwanted, wanted = Flag(), Flag()
    with ThreadPoolExecutor(2) as threads:
        for restored in threads.map(restorer.restore, (0, 1), (Flag(), Flag())):  # readers that know their brokers
            restored.store.close()
        with open_transaction(cluster, cluster.topics.journal):
            first = threads.submit(restorer.restore, 0, unwanted)
            await_store(cluster, cluster.data_dir() / "partition-0")
            unwanted.set()
            second = threads.submit(restorer.restore, 0, wanted)
            assert isinstance(first.exception(), RestoreStopped)
        restored = second.result()

    assert restored.interactions_from == 0
    restored.store.close()


def test_a_restore_that_ends_although_it_was_stopped_keeps_no_store_open(restorer: Restorer) -> None:
    unwanted = Flag()
    unwanted.set()
    with pytest.raises(RestoreStopped):
        restorer.restore(0, unwanted)
    restored = restorer.restore(0, Flag())

    assert restored.meter.partition == 0
    restored.store.close()
