"""Who comes in how, with exactly what is granted in docs/security.md, and what is told when a permission is missing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from botmeter.kafka import clients
from botmeter.kafka.questions import wait_for_broker
from botmeter.operations.permissions import Permission, missing, needed, rows
from botmeter.settings.load import load
from botmeter.settings.model import Settings
from worker.cluster import Cluster
from worker.process import PATIENCE_S, PROGRAM, WorkerProcess
from worker.traffic import ACCOUNTS, Traffic

from .secured import SECRET, WAYS, SecuredKafka

pytestmark = pytest.mark.kafka

DOCUMENT = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")


def settings_of(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """As a program reads them."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load()


def run(cluster: Cluster, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOTMETER_")}
    return subprocess.run(
        [*PROGRAM, *command],
        env={**inherited, **cluster.environment(**more)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def health_of(worker: WorkerProcess) -> str:
    port = re.search(r":(\d+)/health", worker.hears(r"localhost:\d+/health"))
    assert port is not None
    with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/health") as answer:
        return str(answer.read())


def test_workers_that_come_in_six_ways_share_one_group_and_no_secret_is_told(
    secured: SecuredKafka, topic_prefix: str, tmp_path: Path
) -> None:
    """Each with the permissions of the table and no others; the log as chatty as it can be."""
    cluster = Cluster(secured.bootstrap_servers, topic_prefix, tmp_path, partitions=len(WAYS))
    secured.allow("worker", needed("worker", worker_settings(cluster)))
    workers = [cluster.worker(way, BOTMETER_LOG_LEVEL="DEBUG", **secured.environment(way, "worker")) for way in WAYS]
    traffic = Traffic(cluster, seed=95)
    traffic.open_accounts()
    traffic.run(interactions=100)
    for worker in workers:
        worker.hears(r"partition \d+: (cold|warm) restore of")
    cluster.await_all_taken(workers)
    answers = [health_of(worker) for worker in workers]
    for worker in workers:
        worker.leaves()

    assert len(cluster.read(cluster.topics.journal)) >= len(ACCOUNTS)
    assert [worker.said for worker in workers if SECRET in worker.said] == []
    assert [answer for answer in answers if SECRET in answer] == []
    cluster.close()


def worker_settings(cluster: Cluster) -> Settings:
    """What of a cluster's settings decides about permissions."""
    environment = cluster.environment()
    return Settings(
        group=environment["BOTMETER_GROUP"],
        topic_prefix=environment["BOTMETER_TOPIC_PREFIX"],
        interactions_topic=environment["BOTMETER_INTERACTIONS_TOPIC"],
        commands_topic=environment["BOTMETER_COMMANDS_TOPIC"],
        partitions=cluster.partitions,
    )


def test_each_permission_of_a_worker_that_is_missing_is_named_and_no_other(
    secured: SecuredKafka, cluster: Cluster
) -> None:
    table = needed("worker", worker_settings(cluster))
    secured.allow("worker", table)
    told = [row.of(operation) for row in table if row.resource in ("topic", "group") for operation in row.operations]
    config = clients.admin_config(secured.options("plain", "worker"), secured.servers("plain"))
    with clients.make_admin(config) as admin:
        assert missing(admin, table) == []
        for one in told:
            with secured.without("worker", one):
                assert missing(admin, table) == [one]


def test_a_worker_without_a_permission_ends_with_one_line_that_says_how_it_is_granted(
    secured: SecuredKafka, cluster: Cluster
) -> None:
    table = needed("worker", worker_settings(cluster))
    secured.allow("worker", table)
    alerts, transactions = cluster.topics.alerts.name, table[-1]
    environment = secured.environment("plain", "worker")
    with secured.without("worker", Permission("topic", alerts, ("WRITE",))):
        without_alerts = run(cluster, "worker", **environment)
    with secured.without("worker", transactions):
        without_transactions = run(cluster, "worker", **environment)
        found = run(cluster, "doctor", "--json", "--listen", "0", **environment)

    assert (without_alerts.returncode, without_transactions.returncode) == (3, 3)
    [line] = [each for each in without_alerts.stderr.splitlines() if each.startswith("botmeter: ")]
    assert line == (
        f"botmeter: missing permission of User:worker: WRITE on topic {alerts}; run: kafka-acls.sh --bootstrap-server "
        f"{secured.servers('plain')} --add --allow-principal 'User:worker' --operation Write --topic {alerts}"
    )
    [line] = [each for each in without_transactions.stderr.splitlines() if each.startswith("botmeter: ")]
    assert f"WRITE on transactional ids that begin with {cluster.group}-" in line
    assert "Traceback" not in without_alerts.stderr + without_transactions.stderr
    findings = [json.loads(each) for each in found.stdout.splitlines()]
    [finding] = [each for each in findings if each["check"] == "permissions"]
    assert (finding["state"], finding["text"]) == ("problem", f"missing: {transactions}")
    assert "--resource-pattern-type prefixed" in finding["remedy"]


@pytest.mark.parametrize("way", ["plain", "scram-sha-512", "oauthbearer"])
def test_who_names_a_wrong_secret_is_told_so_and_the_secret_is_not(
    secured: SecuredKafka, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = f"{SECRET}-of-somebody-else"
    settings = settings_of(secured.environment(way, "worker", wrong), monkeypatch)
    config = clients.admin_config(settings.kafka, settings.bootstrap_servers)

    with pytest.raises(Exception, match="check user and password") as caught:
        wait_for_broker(config, 0, print)
    assert SECRET not in f"{caught.value!r} {settings!r} {settings}"


def test_the_table_of_the_page_is_the_one_that_is_tested() -> None:
    rows_of_page = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| (`[^|]+`) \| (literal|prefixed) \| ([A-Z_, ]+) \|$", DOCUMENT, re.MULTILINE
    )
    written = {
        (program, resource, name, pattern, operations)
        for program, resource, names, pattern, operations in rows_of_page
        for name in re.findall("`([^`]+)`", names)
    }

    assert written == {
        (program, row.resource, row.name, row.pattern, ", ".join(row.operations))
        for program, row in rows(Settings(notify_projected=True))
    }
