"""Whatever befalls the broker while the worker commits, nothing is lost or counted twice; and stops are orderly."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from botmeter.embedded import EmbeddedKafka

from .cluster import SHORT_SESSIONS, Cluster
from .model import require_outputs
from .outage import alter, held_back, open_transaction
from .process import PATIENCE_S, WorkerProcess
from .traffic import Traffic

pytestmark = pytest.mark.kafka

#: So small that a worker with a backlog commits again and again, a hundred times or more.
SMALL_BATCHES = {"BOTMETER_BATCH_RECORDS": "20", **SHORT_SESSIONS}
#: So many records are left where a worker is in the midst of a backlog: more than it takes in a moment.
MOST = 1_000
#: A commit that hangs for longer fails; the broker aborts its transaction by then too.
SHORT_TRANSACTIONS = {"BOTMETER_TRANSACTION_TIMEOUT_MS": "2000"}
#: Longer than any restart. Apache Kafka 4.3.1 itself must not find a transaction past its time while it starts after a
#: kill: for a moment it takes itself for unreachable, and then forgets to write the abort into some partitions.
LONG_TRANSACTIONS = {"BOTMETER_TRANSACTION_TIMEOUT_MS": "60000"}
#: The contract's ten seconds to stop, and as long again for a busy machine to notice.
STOP_S = 20.0


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedKafka]:
    """A broker to be mistreated, which looks for transactions past their time more often than every 10 s."""
    properties = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500"}
    with EmbeddedKafka(properties=properties) as made:
        yield made


@pytest.fixture
def cluster(broker: EmbeddedKafka, topic_prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    """As everywhere, but on this broker, however the test before has left it."""
    broker.resume()
    if broker.pid is None:
        broker.start()
    made = Cluster(broker.bootstrap_servers, topic_prefix, tmp_path)
    yield made
    made.close()


def restarted(broker: EmbeddedKafka, worker: WorkerProcess) -> None:
    """It goes in good order, and is back before a transaction runs out of time."""
    worker.send(signal.SIGCONT)
    broker.stop()
    broker.start()


def away(broker: EmbeddedKafka, worker: WorkerProcess) -> None:
    """It goes in good order, and stays away until a commit has failed."""
    broker.stop()
    worker.send(signal.SIGCONT)  # only now, or it might have nothing left to commit
    worker.hears("commit failed")
    broker.start()


def killed(broker: EmbeddedKafka, worker: WorkerProcess) -> None:
    """It goes without a word, and is back before a transaction runs out of time."""
    worker.send(signal.SIGCONT)
    broker.kill()
    broker.start()


def frozen(broker: EmbeddedKafka, worker: WorkerProcess) -> None:
    """It keeps its connections and answers nothing, until a commit has failed."""
    broker.pause()
    worker.send(signal.SIGCONT)  # only now, as above
    worker.hears("commit failed")
    broker.resume()


def begin_a_backlog(cluster: Cluster, traffic: Traffic) -> None:
    traffic.open_accounts()
    write_a_backlog(cluster, traffic)


def write_a_backlog(cluster: Cluster, traffic: Traffic) -> None:
    for _ in range(20):
        traffic.run(interactions=150, commands=5)
    cluster.flush()


def taken(cluster: Cluster) -> int:
    """How many records of both inputs are committed."""
    return sum(max(offset, 0) for offset in cluster.committed().values())


def untaken(cluster: Cluster) -> int:
    inputs = (cluster.topics.interactions, cluster.topics.commands)
    return sum(end for topic in inputs for end in cluster.ends(topic).values()) - taken(cluster)


def freeze_in_the_midst(cluster: Cluster, traffic: Traffic, worker: WorkerProcess) -> None:
    """Stops the worker for the moment when some of a backlog is committed, while most is not.

    Running, it could be through with everything before the test has looked; one that was so quick is given more.
    """
    await_taken(cluster, worker, 100)
    worker.send(signal.SIGSTOP)
    while untaken(cluster) < MOST:
        some_more = taken(cluster) + 100
        write_a_backlog(cluster, traffic)
        worker.send(signal.SIGCONT)
        await_taken(cluster, worker, some_more)
        worker.send(signal.SIGSTOP)


def await_taken(cluster: Cluster, worker: WorkerProcess, count: int) -> None:
    cluster.await_true(lambda: taken(cluster) > count, [worker], PATIENCE_S, f"no {count} records were taken")


@pytest.mark.parametrize(
    ("befalls", "variables"),
    [
        pytest.param(restarted, LONG_TRANSACTIONS, id="restarted"),
        pytest.param(away, SHORT_TRANSACTIONS, id="away", marks=pytest.mark.chaos),
        pytest.param(killed, LONG_TRANSACTIONS, id="killed", marks=pytest.mark.chaos),
        pytest.param(frozen, SHORT_TRANSACTIONS, id="frozen", marks=pytest.mark.chaos),
    ],
)
def test_the_worker_recovers_by_itself_and_the_outputs_are_those_of_the_inputs(
    broker: EmbeddedKafka,
    cluster: Cluster,
    befalls: Callable[[EmbeddedKafka, WorkerProcess], None],
    variables: dict[str, str],
) -> None:
    traffic = Traffic(cluster, seed=1)
    begin_a_backlog(cluster, traffic)
    worker = cluster.worker(**SMALL_BATCHES, **variables)
    freeze_in_the_midst(cluster, traffic, worker)
    traffic.run(interactions=300, commands=20)  # written before, during or after it
    befalls(broker, worker)
    traffic.run(interactions=300, commands=20)
    cluster.flush()
    cluster.await_all_taken([worker])

    assert worker.stop() == 0
    require_all_well(cluster)


def require_all_well(cluster: Cluster) -> None:
    """Asked by clients that know nothing of the outage: no transaction is open, and the outputs are as they must be."""
    fresh = Cluster(cluster.bootstrap_servers, cluster._prefix, cluster.directory)
    fresh.await_true(lambda: not held_back(fresh), [], PATIENCE_S, "a transaction stays open")
    require_outputs(fresh)
    fresh.close()


def test_a_topic_that_takes_only_small_records_stops_the_worker_which_names_it(cluster: Cluster) -> None:
    traffic, topic = Traffic(cluster, seed=2), cluster.topics.handoffs
    worker = cluster.worker().restored(cluster.partitions)
    alter(cluster, topic, "max.message.bytes", "200")
    begin_a_backlog(cluster, traffic)

    assert worker.ended() == 3, worker.said
    assert topic.name in worker.lines[-1]
    assert "max.message.bytes" in worker.lines[-1]
    assert "Traceback" not in worker.said
    alter(cluster, topic, "max.message.bytes", str(topic.config["max.message.bytes"]))
    mended = cluster.worker()
    cluster.await_all_taken([mended])
    assert mended.stop() == 0
    require_all_well(cluster)


def test_a_worker_under_load_stops_in_good_order_and_the_next_goes_on(cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=3)
    begin_a_backlog(cluster, traffic)
    worker = cluster.worker(**SMALL_BATCHES)
    freeze_in_the_midst(cluster, traffic, worker)
    worker.send(signal.SIGTERM)  # which it finds as soon as it goes on
    worker.send(signal.SIGCONT)
    assert worker.ended(STOP_S) == 0
    assert untaken(cluster) > 0

    following = cluster.worker()
    cluster.await_all_taken([following])
    assert following.stop(signal.SIGINT, STOP_S) == 130
    require_all_well(cluster)


def test_a_worker_that_restores_stops_in_good_order(cluster: Cluster) -> None:
    with open_transaction(cluster, cluster.topics.journal):
        worker = cluster.worker()
        worker.hears(r"partition \d+: assigned", times=cluster.partitions)

        assert worker.stop(within_s=STOP_S) == 0
    assert "restore of" not in worker.said


def test_a_worker_whose_broker_is_gone_stops_all_the_same(broker: EmbeddedKafka, cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=4)
    begin_a_backlog(cluster, traffic)
    worker = cluster.worker(**SMALL_BATCHES)
    freeze_in_the_midst(cluster, traffic, worker)
    worker.send(signal.SIGCONT)
    broker.kill()

    assert worker.stop(within_s=STOP_S) in {0, 1}
    assert "Traceback" not in worker.said
