"""A partition that goes and comes back at once: its new restore and the one that is not wanted any more."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag

import pytest
from confluent_kafka import Consumer, TopicPartition

from botmeter.clock import Clock
from botmeter.engine.restore import Restorer
from botmeter.kafka import clients
from botmeter.kafka.reader import RestoreStopped

from .cluster import Cluster
from .outage import open_transaction
from .process import PATIENCE_S

pytestmark = pytest.mark.kafka


class ObservedReader(Consumer):
    """Tells when it begins to read a partition. A restore that reads the journal has its store open."""

    def __init__(self, config: clients.Config, has_begun: Flag) -> None:
        super().__init__(config)
        self._has_begun = has_begun

    def assign(self, partitions: list[TopicPartition]) -> None:
        super().assign(partitions)
        self._has_begun.set()


@pytest.fixture
def has_begun() -> Flag:
    """Whether a reader has begun to read."""
    return Flag()


@pytest.fixture
def restorer(cluster: Cluster, has_begun: Flag) -> Iterator[Restorer]:
    reading = clients.reader_config({}, cluster.bootstrap_servers, cluster.group)
    admin = clients.make_admin(clients.admin_config({}, cluster.bootstrap_servers))
    made = Restorer(cluster.restore_settings(), lambda: ObservedReader(reading, has_begun), admin, Clock())
    yield made
    made.close()


def test_a_restore_leaves_the_store_to_the_one_that_follows_it(
    cluster: Cluster, restorer: Restorer, has_begun: Flag
) -> None:
    """The first is held back by somebody's open transaction, with its store open, when the partition is revoked."""
    unwanted, wanted = Flag(), Flag()
    with ThreadPoolExecutor(2) as threads:
        for restored in threads.map(restorer.restore, (0, 1), (Flag(), Flag())):  # readers that know their brokers
            restored.store.close()
        assert not has_begun.is_set()  # the journal is empty so far
        with open_transaction(cluster, cluster.topics.journal):
            first = threads.submit(restorer.restore, 0, unwanted)
            assert has_begun.wait(PATIENCE_S)
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
