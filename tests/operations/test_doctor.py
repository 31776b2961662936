"""`botmeter doctor`: well where all is well, and for each fault a finding that says what to do."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from botmeter.embedded import EmbeddedKafka
from botmeter.kafka import clients
from worker.cluster import Cluster
from worker.process import PATIENCE_S, PROGRAM
from worker.traffic import ACCOUNTS, Traffic, interaction

pytestmark = pytest.mark.kafka

Findings = list[dict[str, Any]]


def started(cluster: Cluster, *options: str, **more: str) -> subprocess.Popen[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOTMETER_")}
    return subprocess.Popen(
        [*PROGRAM, "doctor", *options],
        env={**inherited, **cluster.environment(**more)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(doctor: subprocess.Popen[str]) -> tuple[int, str, str]:
    stdout, stderr = doctor.communicate(timeout=PATIENCE_S)
    return doctor.returncode, stdout, stderr


def findings(stdout: str) -> Findings:
    return [json.loads(line) for line in stdout.splitlines()]


def of(found: Findings, check: str) -> list[tuple[str, str, str | None]]:
    return [(each["state"], each["text"], each["remedy"]) for each in found if each["check"] == check]


def test_a_system_at_work_is_well(cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=91)
    worker = cluster.worker().restored(cluster.partitions)
    traffic.open_accounts()
    cluster.flush()
    cluster.await_all_taken([worker])
    doctor = started(cluster, "--json", "--listen", "5")
    while doctor.poll() is None:
        for account_id in ACCOUNTS:
            traffic.say(interaction(account_id, "u-1"))
        cluster.flush()
    code, stdout, stderr = ended(doctor)

    found = findings(stdout)
    assert code == 0, stdout + stderr
    assert {each["state"] for each in found} <= {"ok", "warning"}  # one broker has one replica of all
    checked = {each["check"] for each in found}
    assert {
        "brokers",
        "topics",
        "permissions",
        "rules",
        "group",
        "lag",
        "partitions",
        "transactions",
        "journal",
        "clocks",
        "disk",
    } <= checked
    assert all((each["remedy"] is None) == (each["state"] == "ok") for each in found)
    assert "clocks" in checked
    [(state, text, _)] = of(found, "clocks")
    assert state == "ok", text
    worker.leaves()


@pytest.mark.chaos
def test_each_fault_is_found_and_told_with_what_to_do(cluster: Cluster) -> None:
    traffic, topics = Traffic(cluster, seed=92), cluster.topics
    worker = cluster.worker()
    traffic.open_accounts()
    traffic.run(interactions=60)
    for number in range(5):
        cluster.put(topics.interactions, "acme", b"not JSON", partition=number % 2)
    cluster.flush()
    cluster.await_all_taken([worker])
    worker.leaves()
    admin = cluster._admin
    retention = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topics.alerts.name, incremental_configs=[retention])
    [altered] = admin.incremental_alter_configs([resource]).values()
    altered.result(PATIENCE_S)
    [deleted] = admin.delete_topics([topics.handoffs.name]).values()
    deleted.result(PATIENCE_S)
    [cut] = admin.delete_records([TopicPartition(topics.journal.name, 0, 1)]).values()
    cut.result(PATIENCE_S)
    config = clients.producer_config({}, cluster.bootstrap_servers, f"{cluster.group}-hanging", 300_000)
    with clients.make_producer(config) as hanging:
        hanging.init_transactions(PATIENCE_S)
        hanging.begin_transaction()
        hanging.produce(topics.balances.name, b"{}", b"acme", partition=1)
        hanging.flush(PATIENCE_S)
        code, stdout, stderr = ended(
            started(
                cluster, "--json", "--listen", "0.2", BOTMETER_TRANSACTION_TIMEOUT_MS="1000", BOTMETER_CURRENCY="EUR"
            )
        )
        hanging.abort_transaction(PATIENCE_S)

    found = findings(stdout)
    assert code == 1, stdout + stderr
    told = {(each["check"], each["state"]): each["text"] for each in found}
    assert "has no workers" in told["group", "problem"]
    assert f"{topics.handoffs.name} is missing" in told["topics", "problem"]
    assert "retention.ms is 1000" in told["topics", "warning"]
    assert "partitions 0 do not begin at offset 0" in told["journal", "problem"]
    assert f"{topics.balances.name}, partition 1: a transaction hangs" in str(told.get(("transactions", "problem")))
    assert "BOTMETER_CURRENCY is EUR, in force is USD" in told["rules", "problem"]
    assert "about" in told["dead letters", "warning"]
    assert told["clocks", "unknown"]
    assert all(each["remedy"] for each in found if each["state"] in ("problem", "warning"))


def test_it_is_told_to_people_in_lines_and_an_unreachable_broker_ends_it(cluster: Cluster) -> None:
    code, stdout, _ = ended(started(cluster, "--listen", "0"))
    assert code == 1
    assert "problem  group: the group" in stdout
    assert stdout.splitlines()[-1].endswith("not checked")

    nowhere = {"BOTMETER_BOOTSTRAP_SERVERS": "localhost:1", "BOTMETER_BROKER_TIMEOUT_S": "0"}
    code, _, stderr = ended(started(cluster, **nowhere))
    assert code == 3
    assert "cannot reach Kafka" in stderr


@pytest.mark.chaos
def test_permissions_that_are_missing_are_named(tmp_path: Path) -> None:
    """On a broker that asks for them; what nothing is said of is allowed there."""
    properties = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    with EmbeddedKafka(properties=properties) as broker:
        cluster = Cluster(broker.bootstrap_servers, "guarded.", tmp_path)
        denied = [
            (ResourceType.TOPIC, cluster.topics.alerts.name, AclOperation.WRITE),
            (ResourceType.GROUP, cluster.group, AclOperation.READ),
            (ResourceType.TRANSACTIONAL_ID, f"{cluster.group}-doctor", AclOperation.WRITE),
        ]
        rules = [
            AclBinding(kind, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", what, AclPermissionType.DENY)
            for kind, name, what in denied
        ]
        for made in cluster._admin.create_acls(rules).values():
            made.result(PATIENCE_S)
        _, stdout, stderr = ended(started(cluster, "--json", "--listen", "0"))
        cluster.close()

    told = [text for state, text, _ in of(findings(stdout), "permissions") if state == "problem"]
    assert f"missing: WRITE on topic {cluster.topics.alerts.name}" in told, stdout + stderr
    assert f"missing: READ on group {cluster.group}" in told
    assert f"missing: WRITE on transactional ids that begin with {cluster.group}-" in told
    assert not any(cluster.topics.journal.name in text for text in told)
