"""All accounts at once, under a quota that no transaction of the usual size can keep to: they become smaller."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka import Message, TopicPartition

from botmeter.contracts.instants import rfc3339
from botmeter.contracts.topics import Topic
from botmeter.embedded import EmbeddedKafka
from botmeter.kafka import clients
from worker.cluster import Cluster
from worker.model import verified
from worker.outage import make_anew
from worker.process import WorkerProcess
from worker.test_clocks import DAY_MS, Skew, skewed
from worker.test_timer import TIMER_DUE_MS, wait_until
from worker.traffic import now_ms, opening

from .quota import limit_workers

pytestmark = [pytest.mark.kafka, pytest.mark.chaos, pytest.mark.timeout(3_600)]

#: With these, transactions fail at first. With many more, the openings have made them small enough already.
USUAL: Final = 20_000
ACCOUNTS: Final = int(os.environ.get("BOTMETER_TEST_ACCOUNTS", str(USUAL)))
#: So that a transaction with all accounts takes several times its time.
BYTES_A_SECOND: Final = ACCOUNTS * 3
VARIABLES: Final = {
    "BOTMETER_BATCH_RECORDS": str(min(200_000, 4 * ACCOUNTS)),
    "BOTMETER_TRANSACTION_TIMEOUT_MS": "5000",
}
#: From the first opening written to the boundary.
FIRST_CYCLE_MS: Final = 20_000 + ACCOUNTS // 2
WITHIN_S: Final = 1_200.0


@pytest.fixture
def cluster(topic_prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    """On a broker of its own, whose quota is nobody else's."""
    with EmbeddedKafka() as broker:
        made = Cluster(broker.bootstrap_servers, topic_prefix, tmp_path)
        yield made
        made.close()


@pytest.fixture
def skew(tmp_path: Path) -> Skew:
    return Skew(tmp_path)


def name(number: int) -> str:
    return f"account-{number}"


def open_accounts(cluster: Cluster) -> int:
    """Opens all of them, each with its first cycle about to end; when all do, UTC ms."""
    boundary = now_ms() + FIRST_CYCLE_MS
    for number in range(ACCOUNTS):
        fields = opening(name(number), anchor=rfc3339(boundary))
        cluster.put(cluster.topics.commands, name(number), json.dumps(fields).encode())
    cluster.flush()
    assert now_ms() < boundary, "written too late to prove anything"
    return boundary


def await_each(cluster: Cluster, topic: Topic, begins: Mapping[int, int], wanted: bytes, worker: WorkerProcess) -> None:
    """Until there is a record with these bytes of each account."""
    left, deadline = {name(number).encode() for number in range(ACCOUNTS)}, time.monotonic() + WITHIN_S
    reading = clients.reader_config({}, cluster.bootstrap_servers, cluster.group)
    with clients.make_consumer(reading) as reader:
        reader.assign([TopicPartition(topic.name, number, begin) for number, begin in begins.items()])
        while left:
            assert time.monotonic() < deadline, f"{len(left)} accounts are left; the worker said:\n{worker.said}"
            assert not worker.has_ended, worker.said
            left -= {key for message in reader.consume(10_000, timeout=0.5) if (key := _key(message, wanted))}


def _key(message: Message, wanted: bytes) -> bytes | None:
    return message.key() if message.error() is None and wanted in (message.value() or b"") else None


def failures(worker: WorkerProcess) -> int:
    return sum("commit failed" in line for line in worker.lines)


def test_all_cycles_that_end_in_one_second_and_snapshots_made_anew_pass_under_a_quota(
    cluster: Cluster, skew: Skew, figures: Counter[str]
) -> None:
    """More accounts are only a matter of patience: BOTMETER_TEST_ACCOUNTS."""
    journal, snapshots = cluster.topics.journal, cluster.topics.snapshots
    boundary = open_accounts(cluster)
    skew.set(DAY_MS)  # no cycle is rolled before the quota is in force
    with skewed(cluster, skew, **VARIABLES) as worker:
        cluster.await_all_taken([worker], WITHIN_S)
        limit_workers(cluster.bootstrap_servers, BYTES_A_SECOND)
        wait_until(boundary + TIMER_DUE_MS)
        before, begins = failures(worker), cluster.ends(journal)
        skew.set(0)
        await_each(cluster, journal, begins, b'"type":"cycle_started"', worker)

        figures["transactions that a quota held for too long"] += failures(worker) - before
        assert failures(worker) > before or ACCOUNTS > USUAL, worker.said
        worker.leaves()
    make_anew(cluster, snapshots)
    with skewed(cluster, skew, **VARIABLES) as worker:
        await_each(cluster, snapshots, dict.fromkeys(range(cluster.partitions), 0), b'"number":2', worker)

        figures["transactions that a quota held for too long"] += failures(worker)
        assert failures(worker) > 0 or ACCOUNTS > USUAL, worker.said
        worker.leaves()
    verified(cluster)
