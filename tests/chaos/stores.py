"""Whether the stores that a dead worker has left are worth as much as a restore from nothing."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Event as Flag

from botmeter.clock import Clock
from botmeter.engine.restore import Restorer
from botmeter.engine.store_rocksdb import RocksDbStore
from botmeter.kafka import clients
from worker.cluster import Cluster


def require_warm_equals_cold(cluster: Cluster, worker: str) -> int:
    """Restores each partition from a copy of the store of this worker, which is dead, and without one; how many."""
    kept = cluster.data_dir(worker)
    warm, cold = cluster.directory / "warm", cluster.directory / "cold"
    for partition in range(cluster.partitions):
        if (kept / f"partition-{partition}").exists():
            shutil.copytree(kept / f"partition-{partition}", warm / f"partition-{partition}")
    found = [_restored(cluster, directory) for directory in (warm, cold)]
    for directory in (warm, cold):
        shutil.rmtree(directory)
    assert found[0] == found[1]
    return cluster.partitions


def _restored(cluster: Cluster, directory: Path) -> list[dict[str, str]]:
    """Of each partition, the content of its store: accounts with the commands they remember, windows and chats."""
    reading = clients.reader_config({}, cluster.bootstrap_servers, cluster.group)
    settings = replace(cluster.restore_settings(), data_dir=directory)
    with clients.make_admin(clients.admin_config({}, cluster.bootstrap_servers)) as admin:
        restorer = Restorer(settings, lambda: clients.make_consumer(reading), admin, Clock())
        with closing(restorer):
            return [_digests(restorer, partition) for partition in range(cluster.partitions)]


def _digests(restorer: Restorer, partition: int) -> dict[str, str]:
    states = restorer.restore(partition, Flag())
    with closing(states.store) as store:
        assert isinstance(store, RocksDbStore)
        return {family: _digest(store, family) for family in ("accounts", "windows", "chats")}


def _digest(store: RocksDbStore, family: str) -> str:
    """Of all entries, in the order of their keys, and how many they are."""
    digest, count = sha256(), 0
    for key, value in store._entries(family):
        digest.update(b"%d %b %d %b" % (len(key), key, len(value), value))
        count += 1
    return f"{count} {family}, {digest.hexdigest()}"
