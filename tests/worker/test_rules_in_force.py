"""What decides is in the log: workers agree on it, and a change of it is an act of its own (C5)."""

from __future__ import annotations

import json
import subprocess

import pytest
from confluent_kafka import Message

from botmeter.contracts import catalogue
from botmeter.contracts.instants import rfc3339
from botmeter.contracts.rules import RulesHistory, RulesSet
from botmeter.domain.prices import HOUR_MS
from botmeter.verification.cluster import Access, VerifiedCluster
from botmeter.verification.findings import Findings
from botmeter.verification.verification import Progress, Verification

from .cluster import Cluster
from .model import decode, require_outputs
from .process import PATIENCE_S, PROGRAM
from .traffic import ACCOUNTS, Traffic, command, interaction, now_ms, opening

pytestmark = pytest.mark.kafka

DAY_S = 86_400


def program(cluster: Cluster, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`botmeter ...` with a worker's settings."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=cluster.environment(**variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def recorded(cluster: Cluster) -> list[Message]:
    return cluster.read(cluster.topics.rules)[cluster.topics.rules.name, 0]


def serve(cluster: Cluster, traffic: Traffic, **variables: str) -> str:
    """A worker takes what is there and some traffic more; what it said."""
    worker = cluster.worker(**variables).restored(cluster.partitions)
    traffic.run(interactions=100, commands=5)
    cluster.flush()
    cluster.await_all_taken([worker])
    worker.leaves()
    return worker.said


def test_the_first_worker_records_its_rules_and_another_has_to_have_them(cluster: Cluster) -> None:
    first = cluster.worker("first", BOTMETER_LATE_LIMIT_S="3600").restored(cluster.partitions)
    second = cluster.worker("second", BOTMETER_LATE_LIMIT_S="7200", BOTMETER_CURRENCY="EUR")

    assert second.ended() == 2
    assert second.lines[-1] == (
        "botmeter: BOTMETER_CURRENCY is EUR, in force is USD, BOTMETER_LATE_LIMIT_S is 7200, in force is 3600 (rules "
        "number 1, set by first): set it as all workers of the group have it, or change the rules for all of them: "
        "stop them and run: botmeter rules set"
    )
    [message] = recorded(cluster)
    rules = catalogue.RULES.decode(message.value())
    assert isinstance(rules, RulesSet)
    assert (rules.number, rules.by, rules.taken, rules.rules.late_limit_ms) == (1, "first", (), HOUR_MS)
    shown = program(cluster, "rules", "show", BOTMETER_LATE_LIMIT_S="3600")
    assert shown.returncode == 0
    assert "number 1, from the beginning, by first" in shown.stdout
    assert program(cluster, "rules", "show").returncode == 1
    first.leaves()


def test_of_two_that_start_first_with_different_rules_one_stays(cluster: Cluster) -> None:
    workers = [cluster.worker(f"w-{limit}", BOTMETER_LATE_LIMIT_S=limit) for limit in ("3600", "7200", "9000")]

    def one_is_left() -> bool:
        return sum(worker.has_ended for worker in workers) == 2

    cluster.await_true(one_is_left, (), PATIENCE_S, "two workers did not end")
    [left] = [worker for worker in workers if not worker.has_ended]
    left.restored(cluster.partitions).leaves()
    assert sorted(worker.ended() for worker in workers) == [0, 2, 2]
    assert len(recorded(cluster)) == 1


def test_a_change_is_refused_while_a_worker_runs_and_made_when_none_does(cluster: Cluster) -> None:
    worker = cluster.worker().restored(cluster.partitions)
    new = {"BOTMETER_PACK_PRICE_MINOR": "12000"}
    assert program(cluster, "rules", "set", "--yes", **new).returncode == 2
    assert "1 workers of the group" in program(cluster, "rules", "set", "--yes", **new).stderr
    worker.leaves()

    tried = program(cluster, "rules", "set", **new)
    assert (tried.returncode, len(recorded(cluster))) == (0, 1)
    assert "BOTMETER_PACK_PRICE_MINOR: 10000 -> 12000" in tried.stdout
    done = program(cluster, "rules", "set", "--yes", "--by", "jane", "--reason", "new prices", **new)
    assert (done.returncode, len(recorded(cluster))) == (0, 2), done.stderr
    assert "by jane: new prices" in program(cluster, "rules", "show", **new).stdout
    assert cluster.worker("old").ended() == 2
    cluster.worker("new", **new).restored(cluster.partitions).leaves()


@pytest.mark.chaos
def test_a_longer_memory_restores_warm_stores_cold_and_charges_nobody_twice(cluster: Cluster) -> None:
    """A start of two days ago was swept under a short limit; under the long one the same chat comes again."""
    late = interaction("acme", "late", occurred_at=rfc3339(now_ms() - 47 * HOUR_MS))
    long, short = {"BOTMETER_LATE_LIMIT_S": str(2 * DAY_S)}, {"BOTMETER_LATE_LIMIT_S": "0"}
    traffic = Traffic(cluster, seed=31)
    traffic.open_accounts()
    traffic.say(late)
    cluster.flush()
    serve(cluster, traffic, **long)
    assert program(cluster, "rules", "set", "--yes", **short).returncode == 0
    assert "warm restore" in serve(cluster, traffic, **short)
    assert program(cluster, "rules", "set", "--yes", **long).returncode == 0
    traffic.say(late)
    cluster.flush()
    said = serve(cluster, traffic, **long)

    assert "remembers session starts for 25 h, the rules in force ask for 73 h; wiped" in said
    assert "cold restore" in said
    journal = [decode(each) for records in cluster.read(cluster.topics.journal).values() for each in records]
    starts = [
        event for event in journal if getattr(event, "end_user_id", "") == "late" and hasattr(event, "started_at")
    ]
    assert len(starts) == 1
    require_outputs(cluster)


@pytest.mark.chaos
def test_the_log_is_recomputed_by_the_rules_of_the_time(cluster: Cluster) -> None:
    """Prices, sizes, thresholds, limits and exhaustion change between two lives of the worker."""
    traffic = Traffic(cluster, seed=32)
    traffic.open_accounts()
    new = {
        "BOTMETER_PACK_PRICE_MINOR": "777", "BOTMETER_PACK_SESSIONS": "7", "BOTMETER_COMPLIMENTARY_SESSIONS": "3",
        "BOTMETER_DEFAULT_THRESHOLDS": "40,90", "BOTMETER_LATE_LIMIT_S": "60", "BOTMETER_EXHAUSTION": "all_chats",
    }  # fmt: skip
    serve(cluster, traffic)
    traffic.run(interactions=50, commands=5)  # taken under the new rules
    for number, account_id in enumerate(ACCOUNTS):
        traffic.ask(command("purchase_packs", account_id, f"before-{number}", packs=1))
    cluster.flush()
    assert program(cluster, "rules", "set", "--yes", **new).returncode == 0
    serve(cluster, traffic, **new)
    traffic.ask(opening("late-comer"))
    for number, account_id in enumerate(ACCOUNTS):
        traffic.ask(command("purchase_packs", account_id, f"after-{number}", packs=1))
    serve(cluster, traffic, **new)

    require_outputs(cluster)
    assert blindly_verified(cluster) > 0
    for account_id in ("acme", "late-comer"):
        taped = program(cluster, "replay", "--from-cluster", account_id, **new)
        assert taped.returncode == 0, taped.stderr
        assert sum("rules" in json.loads(line) for line in taped.stdout.splitlines()) == 2


def blindly_verified(cluster: Cluster) -> int:
    """How many differences there are for one that knows of the first rules alone."""
    findings = Findings()
    access = Access({}, cluster.bootstrap_servers, cluster.group, cluster.partitions, PATIENCE_S)
    with VerifiedCluster(access, cluster.topics) as read:
        read.rules = lambda unrecorded: RulesHistory((), unrecorded)  # type: ignore[method-assign]
        rules = cluster.settings.rules()
        Verification(read, cluster.topics, rules, cluster.partitions, findings).once(Progress())
    return findings.total
