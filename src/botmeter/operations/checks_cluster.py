"""Checks of the cluster: brokers and their settings, topics, replicas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from botmeter.kafka import descriptions
from botmeter.kafka.descriptions import Admin
from botmeter.kafka.topic_setup import check_topics
from botmeter.operations.findings import Finding, State
from botmeter.settings.model import Settings

_HOUR_MIN: Final = 60
_WEEK_MIN: Final = 7 * 24 * _HOUR_MIN
_NOTE_BYTES: Final = 4096
#: Broker settings and the version of Kafka that introduced them: brokers do not report their version to this client.
_SINCE: Final = (
    ("share.", "4.1"),
    ("group.share.", "4.0"),
    ("group.consumer.", "3.7"),
    ("transaction.partition.", "3.6"),
)


def brokers(admin: Admin, settings: Settings) -> Iterator[Finding]:
    """Reports the brokers, and the settings of one with which botmeter cannot keep its promises."""
    cluster = descriptions.describe_cluster(admin)
    names = ", ".join(f"{number} ({address})" for number, address in sorted(cluster.brokers.items()))
    yield Finding("brokers", "ok", f"cluster {cluster.cluster_id}, brokers {names}; {descriptions.client_versions()}")
    broker = min(cluster.brokers)
    values = descriptions.broker_settings(admin, broker)
    version = next((version for prefix, version in _SINCE if any(name.startswith(prefix) for name in values)), None)
    if version is None:
        yield Finding("broker version", "warning", "older than Kafka 3.6", "update the brokers")
    else:
        yield Finding("broker version", "ok", f"Kafka {version} or later, by the settings it knows")
    yield from _settings(values, settings)


def _settings(values: dict[str, str], settings: Settings) -> Iterator[Finding]:
    check = "broker settings"
    limit_ms = _number(values, "transaction.max.timeout.ms")
    if limit_ms is not None and limit_ms < settings.transaction_timeout_ms:
        yield Finding(
            check,
            "problem",
            f"transaction.max.timeout.ms is {limit_ms}, below BOTMETER_TRANSACTION_TIMEOUT_MS",
            f"set BOTMETER_TRANSACTION_TIMEOUT_MS to at most {limit_ms}",
        )
    kept_min = _number(values, "offsets.retention.minutes")
    if kept_min is not None and kept_min < _WEEK_MIN:
        yield Finding(
            check,
            "warning",
            f"offsets.retention.minutes is {kept_min}: the group's offsets expire this long after its last worker left",
            f"set it to {_WEEK_MIN} or more; a journal without committed offsets is refused",
        )
    if values.get("unclean.leader.election.enable") == "true":
        yield Finding(
            check,
            "problem",
            "unclean.leader.election.enable is true: committed records can be lost",
            "set it to false",
        )
    replicas = (
        _number(values, "transaction.state.log.replication.factor"),
        _number(values, "offsets.topic.replication.factor"),
    )
    if any(number == 1 for number in replicas):
        yield Finding(
            check,
            "warning",
            "offsets or transaction states have one replica: they are lost with that broker's disk",
            "set offsets.topic.replication.factor and transaction.state.log.replication.factor to 3 before first use",
        )
    note = _number(values, "offset.metadata.max.bytes")
    if note is not None and note < _NOTE_BYTES:
        remedy = f"set it to {_NOTE_BYTES}: the notes of a redrive may be larger"
        yield Finding(check, "warning", f"offset.metadata.max.bytes is {note}", remedy)
    if (before := _number(values, "log.message.timestamp.before.max.ms")) is not None and before < 10**15:
        yield Finding(
            check,
            "warning",
            f"log.message.timestamp.before.max.ms is {before}: journal records of older inputs would be refused",
            "unset it; a worker that is down for longer could not commit",
        )


def _number(values: dict[str, str], name: str) -> int | None:
    text = values.get(name, "")
    return int(text) if text.lstrip("-").isdigit() else None


def topics(admin: Admin, settings: Settings) -> Iterator[Finding]:
    """Reports every topic that is missing, differs from the contract, or lacks replicas."""
    checked = check_topics(admin, settings.topics().all(), settings.partitions)
    for topic in checked:
        if topic.state == "missing":
            yield Finding("topics", "problem", f"{topic.topic} is missing", "run: botmeter topics create")
        for difference in topic.differences:
            state: State = "problem" if difference.stops_the_worker else "warning"
            remedy = difference.remedy(settings.bootstrap_servers)
            yield Finding("topics", state, f"{topic.topic}: {difference}", remedy)
    existing = [topic.topic for topic in checked if topic.state != "missing"]
    if len(existing) == len(checked) and not any(topic.differences for topic in checked):
        yield Finding("topics", "ok", f"all {len(existing)} topics are as they should be")
    yield from _replicas(admin, existing)


def _replicas(admin: Admin, names: list[str]) -> Iterator[Finding]:
    unreplicated, behind = [], []
    for name in names:
        topic = descriptions.describe_topic(admin, name)
        if topic.without_leader:
            numbers = ", ".join(map(str, topic.without_leader))
            yield Finding(
                "replicas",
                "problem",
                f"{name}: no leader for partitions {numbers}",
                "restart the brokers that have them",
            )
        unreplicated += [name] if any(count == 1 for count, _ in topic.replicas.values()) else []
        behind += [name] if any(in_sync < count for count, in_sync in topic.replicas.values()) else []
    if behind:
        yield Finding(
            "replicas", "warning", f"not all replicas are in sync: {', '.join(behind)}", "look at the brokers that lag"
        )
    if unreplicated:
        yield Finding(
            "replicas",
            "warning",
            f"{len(unreplicated)} topics have one replica: what a broker loses is lost",
            "use 3 replicas and min.insync.replicas=2 (BOTMETER_REPLICATION_FACTOR for new topics)",
        )
    if not unreplicated and not behind:
        yield Finding("replicas", "ok", "every partition has its replicas in sync")
