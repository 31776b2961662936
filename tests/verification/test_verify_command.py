"""`botmeter verify` beside a real worker: what it finds, while the worker goes on too, and its exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.request
from datetime import UTC, datetime
from typing import Any

import pytest

from botmeter.contracts.topics import Topic
from botmeter.embedded.ports import free_ports
from botmeter.kafka import clients
from worker.cluster import Cluster
from worker.process import PATIENCE_S, PROGRAM, WorkerProcess
from worker.traffic import Traffic

pytestmark = pytest.mark.kafka


def verify(cluster: Cluster, *options: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOTMETER_")}
    return subprocess.run(
        [*PROGRAM, "verify", *options],
        env={**inherited, **cluster.environment()},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def metered(cluster: Cluster, seed: int) -> None:
    """Traffic, taken by a worker that is gone afterwards."""
    traffic = Traffic(cluster, seed)
    worker = cluster.worker()
    traffic.open_accounts()
    for _ in range(10):
        traffic.run(interactions=40, commands=2)
    cluster.flush()
    cluster.await_all_taken([worker])
    worker.leaves()


def write_again(cluster: Cluster, topic: Topic) -> tuple[int, int]:
    """The last record of a partition once more, as somebody else's producer might; where it is."""
    found = {number: records for (_, number), records in cluster.read(topic).items() if records}
    number, records = next(iter(found.items()))
    again, offset = records[-1], cluster.ends(topic)[number]
    headers: Any = again.headers()
    key = again.key()
    cluster.put(topic, None if key is None else bytes(key), again.value(), headers=[*headers], partition=number)
    cluster.flush()
    return number, offset


def test_what_a_worker_wrote_is_as_it_should_be_and_what_others_write_is_found(cluster: Cluster) -> None:
    metered(cluster, seed=71)

    well = verify(cluster)
    assert well.returncode == 0, well.stdout + well.stderr
    assert well.stdout.splitlines()[-1].startswith("OK: ")
    assert re.search(r"interactions read +400\b", well.stdout)

    alerts = cluster.topics.alerts
    number, offset = write_again(cluster, alerts)
    told = verify(cluster)
    assert told.returncode == 1
    assert f"TWICE  {alerts.name}-{number}@{offset}  account " in told.stdout
    assert told.stdout.splitlines()[-1] == "NOT OK: 1 difference (twice 1)"

    *differences, summary = map(json.loads, verify(cluster, "--json").stdout.splitlines())
    assert [(each["kind"], each["partition"], each["offset"]) for each in differences] == [("twice", number, offset)]
    assert summary["summary"]["differences"] == 1
    assert summary["summary"]["interactions"] == 400

    later = verify(cluster, "--since", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}")
    assert later.returncode == 0, later.stdout  # it was before the start
    assert re.search(r"interactions read +0\b", later.stdout)


def test_from_the_middle_it_starts_with_the_journal_before(cluster: Cluster) -> None:
    metered(cluster, seed=72)
    interactions = [m for records in cluster.read(cluster.topics.interactions).values() for m in records]
    moments = sorted(message.timestamp()[1] for message in interactions)
    middle = datetime.fromtimestamp(moments[len(moments) // 2] / 1000 + 1, UTC).replace(microsecond=0)

    found = verify(cluster, "--since", f"{middle:%Y-%m-%dT%H:%M:%S}")

    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.chaos
def test_a_transaction_that_does_not_end_is_named(cluster: Cluster) -> None:
    metered(cluster, seed=73)
    alerts = cluster.topics.alerts
    end = cluster.ends(alerts)[0]
    config = clients.producer_config({}, cluster.bootstrap_servers, f"{cluster.group}-hanging", 300_000)
    with clients.make_producer(config) as hanging:
        hanging.init_transactions(PATIENCE_S)
        hanging.begin_transaction()
        hanging.produce(alerts.name, b"{}", b"acme", partition=0)
        hanging.flush(PATIENCE_S)

        found = verify(cluster)

        assert found.returncode == 1
        assert f"HANGING TRANSACTION  {alerts.name}-0@{end}" in found.stdout
        assert found.stdout.splitlines()[-1] == "NOT OK: 1 difference (hanging transaction 1)"
        hanging.abort_transaction(PATIENCE_S)


def test_it_keeps_watching_a_live_system(cluster: Cluster) -> None:
    [port] = free_ports(1)
    traffic = Traffic(cluster, seed=74)
    worker = cluster.worker()
    traffic.open_accounts()
    cluster.flush()
    cluster.await_all_taken([worker])
    options = f"verify --follow --every 0.2 --metrics-port {port}"
    with WorkerProcess(cluster.environment(), options) as watching:
        for _ in range(20):
            traffic.run(interactions=40, commands=2)
            cluster.flush()
        await_metric(watching, port, "botmeter_verify_interactions_total", 800)
        assert sum(metric(port, "botmeter_verify_differences_total")) == 0
        assert sum(metric(port, "botmeter_verify_outputs_total")) > 100

        write_again(cluster, cluster.topics.command_results)
        await_metric(watching, port, "botmeter_verify_differences_total", 1)
        assert watching.stop() == 1
    worker.leaves()


def test_it_begins_with_the_snapshots_when_told_to(cluster: Cluster) -> None:
    [port] = free_ports(1)
    traffic = Traffic(cluster, seed=76)
    worker = cluster.worker()
    traffic.open_accounts()
    traffic.run(interactions=200, commands=10)
    cluster.flush()
    cluster.await_all_taken([worker])
    cluster.await_true(
        lambda: all(cluster.ends(cluster.topics.snapshots).values()), [worker], PATIENCE_S, "no snapshots"
    )
    options = f"verify --follow --every 0.2 --metrics-port {port} --from-snapshots"
    with WorkerProcess(cluster.environment(), options) as watching:
        deadline = time.monotonic() + PATIENCE_S
        while not has_begun(port):  # what is published before it begins is no concern of its
            traffic.run(interactions=5)
            cluster.flush()
            assert time.monotonic() < deadline, watching.said
            time.sleep(0.1)
        traffic.run(interactions=400, commands=20)
        cluster.flush()
        await_metric(watching, port, "botmeter_verify_interactions_total", 400)
        assert sum(metric(port, "botmeter_verify_differences_total")) == 0
        write_again(cluster, cluster.topics.command_results)
        await_metric(watching, port, "botmeter_verify_differences_total", 1)
    worker.leaves()


def has_begun(port: int) -> bool:
    try:
        return sum(metric(port, "botmeter_verify_interactions_total")) > 0
    except OSError:  # it serves nothing yet
        return False


def metric(port: int, name: str) -> list[float]:
    """All values of it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S) as answer:
        page = answer.read().decode()
    return [float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page, re.MULTILINE)]


def await_metric(watching: WorkerProcess, port: int, name: str, value: float) -> None:
    watching.hears("interactions in")  # the first round is over, so the page is there
    deadline = time.monotonic() + PATIENCE_S
    while sum(metric(port, name)) < value:
        assert time.monotonic() < deadline, watching.said
        assert not watching.has_ended, watching.said
        time.sleep(0.1)


def test_metrics_are_for_watching_and_a_group_without_offsets_is_named(cluster: Cluster) -> None:
    usage = verify(cluster, "--metrics-port", "6067")
    assert usage.returncode == 2
    assert "--metrics-port is for --follow" in usage.stderr

    metered(cluster, seed=75)
    environment = {**os.environ, **cluster.environment(), "BOTMETER_GROUP": "another"}
    found = subprocess.run([*PROGRAM, "verify"], env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "is BOTMETER_GROUP the workers' group?" in found.stderr
