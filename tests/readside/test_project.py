"""`botmeter project` on a real Kafka, beside a real worker: live, killed, twice, rebuilt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Self

import pytest
from sqlalchemy import Engine, select

from botmeter.contracts.catalogue import BALANCES, DELIVERIES, JOURNAL
from botmeter.contracts.delivery import Delivery
from botmeter.domain.events import PlanChanged, TimerCause
from botmeter.readside.database import current_generation, open_database, reading
from botmeter.readside.migrations import migrate
from botmeter.readside.queries import Queries
from botmeter.readside.results import ALERTS
from worker.cluster import Cluster
from worker.process import PATIENCE_S, WorkerProcess
from worker.traffic import Traffic, interaction, now_ms

from .comparison import assert_equal, dump
from .plain_fold import fold

pytestmark = pytest.mark.kafka

KILLS = 3
#: How often two projections are made to contend.
TURNS = 4


@pytest.fixture
def cluster(bootstrap_servers: str, topic_prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(bootstrap_servers, topic_prefix, tmp_path)
    yield made
    made.close()


class Load:
    """A little traffic that goes on in a thread of its own until it is ended."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._cluster, self._traffic = cluster, Traffic(cluster, seed)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._traffic.open_accounts()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.1):
            self._traffic.run(interactions=10, commands=2)
        self._cluster.flush()


class ReadSide:
    """The read side of a cluster: its database, its projections, its questions."""

    def __init__(self, cluster: Cluster, url: str) -> None:
        self.cluster, self.url = cluster, url
        self.engine: Engine = open_database(url)
        migrate(self.engine)
        self.queries = Queries(self.engine, cluster.topics.journal.name)

    def projection(self, *arguments: str, **variables: str) -> WorkerProcess:
        told = self.cluster.environment("readside", BOTMETER_READSIDE_URL=self.url, **variables)
        return WorkerProcess(told, " ".join(["project", *arguments]))

    def await_level(self, projection: WorkerProcess | None = None) -> None:
        """Until everything that is in the journal now is in the database."""
        ends = self.cluster.ends(self.cluster.topics.journal)

        def is_level() -> bool:
            progress = self.queries.progress(now_ms())
            known = [each for each in progress if each.topic == self.cluster.topics.journal.name]
            return bool(known) and all(each.offset >= ends[each.partition] and each.lag_records == 0 for each in known)

        self.await_true(is_level, projection)

    def await_true(self, ask: Callable[[], bool], projection: WorkerProcess | None = None) -> None:
        self.cluster.await_true(ask, [projection] if projection else [], PATIENCE_S, "the read side is not so")

    def require_sums(self) -> None:
        """The database holds what a plain fold of the journal counts."""
        records = self.cluster.read(self.cluster.topics.journal)
        events = [JOURNAL.decode(record.value()) for place in sorted(records) for record in records[place]]
        assert events
        assert_equal(self.engine, fold(events), self.cluster.topics.journal.name)


@pytest.fixture
def readside(cluster: Cluster, database_url: str) -> Iterator[ReadSide]:
    made = ReadSide(cluster, database_url)
    yield made
    made.engine.dispose()


@pytest.fixture
def sqlite_readside(cluster: Cluster, sqlite_url: str) -> Iterator[ReadSide]:
    made = ReadSide(cluster, sqlite_url)
    yield made
    made.engine.dispose()


def test_the_read_side_says_what_the_balances_say(cluster: Cluster, readside: ReadSide) -> None:
    with cluster.worker() as worker, readside.projection() as projection:
        traffic = Traffic(cluster, seed=1)
        traffic.open_accounts()
        traffic.run(interactions=400, commands=40)
        cluster.flush()
        cluster.await_all_taken([worker])
        readside.await_level(projection)

        found = cluster.read(cluster.topics.balances)
        latest = {b.account_id: b for records in found.values() for b in map(BALANCES.decode, map(_value, records))}
        assert latest
        for account_id, balance in latest.items():
            shown = readside.queries.summary(account_id)
            assert shown is not None
            assert (shown.used, shown.total, shown.pool, shown.packs) == (
                balance.used, balance.total, balance.pool, balance.packs,
            )  # fmt: skip
            assert shown.used_percent == balance.used_percent
        readside.require_sums()
        projection.leaves()


def _value(record: object) -> bytes | None:
    value: bytes | None = record.value()  # type: ignore[attr-defined]
    return value


def test_killed_in_mid_batch_again_and_again_it_repeats_and_loses_nothing(cluster: Cluster, readside: ReadSide) -> None:
    seed = now_ms() % 10**6
    dice = Random(seed)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    with cluster.worker() as worker:
        with Load(cluster, seed):
            for _ in range(KILLS):
                _kill_in_mid_batch(readside, dice)
                _forget_lease(readside)
        with readside.projection() as projection:
            cluster.await_all_taken([worker])
            readside.await_level(projection)
            projection.leaves()

    readside.require_sums()


def _kill_in_mid_batch(readside: ReadSide, dice: Random) -> None:
    # Small batches, so that it is nearly always in one.
    with readside.projection(BOTMETER_READSIDE_BATCH_RECORDS="7") as projection:
        _await_more(readside, projection)
        time.sleep(dice.uniform(0, 0.3))  # anywhere in what it does then
        projection.kill()


def _await_more(readside: ReadSide, projection: WorkerProcess | None = None) -> None:
    """Until more is written than now."""

    def written() -> int:
        return sum(each.offset for each in readside.queries.progress(now_ms()))

    so_far = written()
    readside.await_true(lambda: written() > so_far, projection)


def _forget_lease(readside: ReadSide) -> None:
    """As if its ten seconds were over."""
    with readside.engine.begin() as connection, reading(readside.engine) as (_, tables):
        connection.execute(tables.lease.update().values(expires_at=0))


def test_two_projections_at_once_harm_nothing_and_one_takes_over_from_the_other(
    cluster: Cluster, readside: ReadSide
) -> None:
    with cluster.worker() as worker:
        first, second = readside.projection(), readside.projection(BOTMETER_LOG_LEVEL="DEBUG")
        with first, second:
            with Load(cluster, seed=5):
                readside.await_true(lambda: len(readside.queries.accounts(now=now_ms()).accounts) == 6)
                for _ in range(TURNS):
                    _forget_lease(readside)  # both may believe that it is theirs
                    _await_more(readside)
                first.leaves()
            cluster.await_all_taken([worker])
            readside.await_level(second)
            second.leaves()

    readside.require_sums()


def test_a_rebuild_beside_a_running_projection_takes_over_and_changes_no_number(
    cluster: Cluster, readside: ReadSide
) -> None:
    with cluster.worker() as worker:
        traffic = Traffic(cluster, seed=9)
        traffic.open_accounts()
        traffic.run(interactions=300, commands=30)
        cluster.flush()
        cluster.await_all_taken([worker])
        with readside.projection() as projection:
            readside.await_level(projection)
            before = dump(readside.engine)
            with readside.projection("--rebuild") as rebuild:
                assert rebuild.ended() == 0, rebuild.said
            assert current_generation(readside.engine) == "b"
            after = dump(readside.engine)
            traffic.run(interactions=100)
            cluster.flush()
            cluster.await_all_taken([worker])
            readside.await_level(projection)
            projection.leaves()

    assert [rows for _, rows in sorted(after.items())] == [rows for _, rows in sorted(before.items())]
    readside.require_sums()


def test_its_lag_is_told_and_grows_while_nobody_projects(cluster: Cluster, sqlite_readside: ReadSide) -> None:
    readside = sqlite_readside
    with cluster.worker() as worker:
        traffic = Traffic(cluster, seed=3)
        traffic.open_accounts()
        cluster.flush()
        with readside.projection() as projection:
            projection.hears("level with the journal")
            cluster.await_all_taken([worker])
            readside.await_level(projection)
            projection.leaves()
        told = readside.queries.freshness(now_ms())
        assert told is not None
        assert told.lag_ms is not None
        later = readside.queries.freshness(now_ms() + 10_000)
        assert later is not None
        assert later.lag_ms is not None
        assert later.lag_ms >= told.lag_ms + 10_000


def test_deliveries_are_shown_with_their_alert(cluster: Cluster, sqlite_readside: ReadSide) -> None:
    readside = sqlite_readside
    with cluster.worker() as worker, readside.projection() as projection:
        traffic = Traffic(cluster, seed=4)
        traffic.open_accounts()
        for number in range(10):
            traffic.say(interaction("acme", f"u-{number}"))
        cluster.flush()
        cluster.await_all_taken([worker])
        readside.await_level(projection)
        alerts = readside.queries.timeline("acme", types=ALERTS).entries
        assert [alert.detail.get("percent", 100) for alert in alerts] == [100, 80, 50]
        alert_id = f"acme/{alerts[0].place.version}"
        sent = Delivery("d-1", "acme", now_ms(), alert_id, "email", "ad…@acme.example", "retrying", 1, "451 later")
        for delivery in (sent, replace(sent, state="sent", attempts=2, reason=None)):
            cluster.put(cluster.topics.deliveries, "acme", DELIVERIES.encode(delivery))
        cluster.flush()

        def state() -> list[str]:
            [alert] = [
                entry
                for entry in readside.queries.timeline("acme", types=ALERTS).entries
                if entry.place == alerts[0].place
            ]
            return [each.state for each in alert.deliveries]

        readside.await_true(lambda: state() == ["sent"], projection)
        projection.leaves()


def test_a_journal_that_does_not_follow_itself_stops_it(cluster: Cluster, sqlite_readside: ReadSide) -> None:
    readside = sqlite_readside
    cause = TimerCause(before_offset=0)
    event = JOURNAL.encode(PlanChanged("acme", 7, now_ms(), cause, "pro"))
    cluster.put(cluster.topics.journal, "acme", event)
    cluster.flush()
    with readside.projection() as projection:
        assert projection.ended() == 1
        projection.hears("events of acme before its version 7 are missing")
    with reading(readside.engine) as (connection, tables):
        assert connection.execute(select(tables.history)).all() == []
