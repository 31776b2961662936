"""What the processes tell of themselves on a real Kafka is what they did (promise 22)."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.samples import Sample

from botmeter.telemetry import process, project, web, worker
from botmeter.telemetry.table import described_in
from worker.cluster import Cluster
from worker.process import PATIENCE_S, WorkerProcess, until
from worker.traffic import interaction, opening

from .scraped import samples, told

pytestmark = pytest.mark.kafka

SECRET = "a secret of the tests, long enough for HS512 too, which asks for 64 bytes"  # noqa: S105 - it guards nothing


@pytest.fixture
def cluster(bootstrap_servers: str, topic_prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(bootstrap_servers, topic_prefix, tmp_path)
    yield made
    made.close()


def port_of(running: WorkerProcess) -> int:
    found = re.search(r"metrics at http://localhost:(\d+)/", running.hears(r"metrics at http://localhost:\d+/"))
    assert found is not None
    return int(found[1])


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S) as answer:
        return str(answer.read().decode())


def value(page: str, name: str, **labels: str) -> float:
    """The sum of the samples with these labels."""

    def fits(sample: Sample) -> bool:
        return sample.name == name and labels.items() <= sample.labels.items()

    return sum(sample.value for sample in samples(page) if fits(sample))


def becomes(port: int, is_there: Callable[[str], bool]) -> str:
    """Scrapes until the page is as it should be; that page."""
    deadline = until(PATIENCE_S)
    while not is_there(page := scrape(port)):
        assert time.monotonic() < deadline, page
        time.sleep(0.05)
    return page


def test_worker_projection_and_web_tell_what_they_did(cluster: Cluster) -> None:
    topics = cluster.topics
    cluster.put(topics.commands, "acme", json.dumps(opening("acme")).encode())
    cluster.flush()
    for number in range(12):  # ten sessions are complimentary
        cluster.put(topics.interactions, "acme", json.dumps(interaction("acme", f"u-{number}")).encode())
    cluster.put(topics.interactions, "acme", b"no json")
    cluster.flush()
    running = cluster.worker().restored(cluster.partitions)
    projecting = WorkerProcess(cluster.environment("project", BOTMETER_READSIDE_PORT="0"), "project")
    variables = {"BOTMETER_AUTH_SECRET": SECRET, "BOTMETER_HTTP_PORT": "0", "BOTMETER_HTTP_METRICS_PORT": "0"}
    serving = WorkerProcess(cluster.environment("web", **variables), "web")
    with projecting, serving:
        cluster.await_all_taken([running])

        metered = becomes(port_of(running), lambda page: value(page, "botmeter_batch_records_sum") == 14)
        assert value(metered, "botmeter_interactions_total", outcome="started") == 10
        assert value(metered, "botmeter_interactions_total", outcome="handed_off") == 2
        assert value(metered, "botmeter_dead_letters_total", reason="malformed") == 1
        assert value(metered, "botmeter_commit_seconds_count") == value(metered, "botmeter_transactions_total") > 0
        assert value(metered, "botmeter_commit_seconds_sum") > 0
        assert value(metered, "botmeter_accounts") == 1
        assert value(metered, "botmeter_rocksdb_memtable_bytes") > 0
        assert 0 < value(metered, "process_resident_memory_bytes") < 2**34
        assert time.time() - value(metered, "botmeter_last_commit_timestamp_seconds") < PATIENCE_S
        names = {metric.name for metric in (*described_in(worker), *described_in(process))}
        assert told(metered).keys() == names

        journal = sum(len(records) for records in cluster.read(topics.journal).values())
        projected = becomes(port_of(projecting), lambda page: value(page, "botmeter_project_events_total") >= journal)
        assert value(projected, "botmeter_project_events_total") == journal
        becomes(port_of(projecting), lambda page: value(page, "botmeter_project_level_timestamp_seconds") > 0)

        asked = re.search(r"listening at (\S+)", serving.hears("listening at"))
        assert asked is not None
        assert httpx.get(f"{asked[1]}/v1/me", timeout=PATIENCE_S).status_code == 401
        assert httpx.get(f"{asked[1]}/made/up", timeout=PATIENCE_S).status_code == 404
        served = becomes(port_of(serving), lambda page: value(page, "botmeter_web_entitlement_ready") == 1)
        count = "botmeter_web_request_seconds_count"
        assert value(served, count, method="GET", route="/v1/me", status="401") == 1
        assert value(served, count, route="none") == value(served, count, status="404") == 1
        served = becomes(
            port_of(serving), lambda page: {web.READ_SIDE_LAG.name, project.LEVEL.name} <= told(page).keys()
        )
        names = {metric.name for module in (web, project, process) for metric in described_in(module)}
        assert told(served).keys() == names
