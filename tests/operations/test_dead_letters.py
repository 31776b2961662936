"""`botmeter dead-letters` beside a real worker: looked at, sent back once, and taken."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest

from botmeter.contracts.topics import partition_of
from worker.cluster import PARTITIONS, Cluster
from worker.model import require_outputs
from worker.process import PATIENCE_S, PROGRAM
from worker.traffic import bad_records, interaction, opening

pytestmark = pytest.mark.kafka

HOME = partition_of(b"acme", PARTITIONS)


def run(cluster: Cluster, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOTMETER_")}
    return subprocess.run(
        [*PROGRAM, "dead-letters", *arguments],
        env={**inherited, **cluster.environment(), **more},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def said(cluster: Cluster, account_id: str, user: str, partition: int, **headers: str) -> None:
    value = json.dumps(interaction(account_id, user)).encode()
    told = [(name, text.encode()) for name, text in headers.items()]
    cluster.put(cluster.topics.interactions, account_id, value, headers=[*told], partition=partition)


def metered(cluster: Cluster) -> None:
    """A worker takes what there is."""
    cluster.flush()
    worker = cluster.worker()
    cluster.await_all_taken([worker])
    worker.leaves()


def sessions(cluster: Cluster) -> list[str]:
    journal = [m for records in cluster.read(cluster.topics.journal).values() for m in records]
    events = [json.loads(message.value() or b"") for message in journal]
    return [event["end_user_id"] for event in events if event["type"] == "session_started"]


def test_they_are_listed_shown_and_counted_with_payloads_only_when_asked(cluster: Cluster) -> None:
    bad = list(bad_records(cluster.topics, Random(5)))
    for record in bad:
        cluster.put(record.topic, record.key, record.value, headers=record.headers, partition=record.partition)
    said(cluster, "umbrella", "u-1", partition_of(b"umbrella", PARTITIONS), sender="phone-app")
    metered(cluster)

    listed = rows(run(cluster, "list", "--json", "--limit", "1000"))
    assert len(listed) == len(bad) + 1
    assert all("value" not in row for row in listed)
    [from_phone] = rows(run(cluster, "list", "--json", "--sender", "phone-app"))
    assert (from_phone["reason"], from_phone["account_id"]) == ("unknown_account", "umbrella")
    by_reason = rows(run(cluster, "list", "--json", "--reason", "in_future", "--reason", "too_late", "--payload"))
    assert {row["reason"] for row in by_reason} == {"in_future", "too_late"}
    assert all(json.loads(row["value"])["account_id"] == "acme" for row in by_reason)
    assert len(run(cluster, "list", "--account", "umbrella").stdout.splitlines()) == 2 * len(
        [row for row in listed if row["account_id"] == "umbrella"]
    )

    place = from_phone["place"]
    shown = run(cluster, "show", place).stdout
    assert "botmeter account open" in shown
    assert "end_user_id" not in shown
    assert '"end_user_id": "u-1"' in run(cluster, "show", place, "--payload").stdout
    missing = run(cluster, "show", f"{place}000")
    assert (missing.returncode, missing.stdout) == (1, "")

    [counts] = rows(run(cluster, "stats", "--json"))
    assert counts["reason"]["wrong_partition"] == 2
    assert sum(counts["reason"].values()) == len(listed)
    assert counts["sender"]["phone-app"] == 1
    assert "murmur2_random" in run(cluster, "stats").stdout


def test_records_sent_back_are_taken_once_whoever_tries_again(cluster: Cluster) -> None:
    cluster.put(cluster.topics.commands, "acme", json.dumps(opening("acme")).encode())
    for number in range(5):
        said(cluster, "acme", f"u-{number}", 1 - HOME, kind="lost")
    metered(cluster)
    assert sessions(cluster) == []

    plan = run(cluster, "redrive", "--reason", "wrong_partition")
    assert plan.returncode == 0
    assert plan.stdout.startswith("5 would be sent back")
    assert sum(cluster.ends(cluster.topics.interactions).values()) == 5, "a dry run wrote something"

    done = run(cluster, "redrive", "--reason", "wrong_partition", "--go", "--rate", "3")
    assert done.stdout == "5 sent back, 0 had been before\n", done.stderr
    again = run(cluster, "redrive", "--reason", "wrong_partition", "--go")
    assert again.stdout == "0 sent back, 5 had been before\n"
    assert run(cluster, "redrive").stdout.startswith("0 would be sent back")
    metered(cluster)

    assert sorted(sessions(cluster)) == [f"u-{number}" for number in range(5)]
    back = cluster.read(cluster.topics.interactions)[cluster.topics.interactions.name, HOME]
    headers: list[Any] = [dict(message.headers() or []) for message in back]
    assert [each["kind"] for each in headers] == [b"lost"] * 5
    letters = f"{cluster.topics.dead_letters.name}/{1 - HOME}@".encode()
    assert all(each["botmeter_redriven"].startswith(letters) for each in headers)
    assert {row["redriven"] for row in rows(run(cluster, "list", "--json"))} == {True}
    require_outputs(cluster)


@pytest.mark.chaos
def test_one_named_letter_is_sent_back_and_sent_again_when_asked(cluster: Cluster) -> None:
    for number in range(3):
        said(cluster, "umbrella", f"u-{number}", partition_of(b"umbrella", PARTITIONS))
    metered(cluster)
    place = rows(run(cluster, "list", "--json"))[1]["place"]

    assert run(cluster, "redrive", place, "--go").stdout == "1 sent back, 0 had been before\n"
    assert run(cluster, "redrive", place, "--go").stdout == "0 sent back, 1 had been before\n"
    assert run(cluster, "redrive", place, "--go", "--again").stdout == "1 sent back, 0 had been before\n"
    marks = [row["redriven"] for row in rows(run(cluster, "list", "--json"))]
    assert sum(marks) == 1
    metered(cluster)
    assert len(rows(run(cluster, "list", "--json"))) == 5  # the account is unknown still


def test_what_was_cut_cannot_be_sent_back(cluster: Cluster) -> None:
    [large] = [record for record in bad_records(cluster.topics, Random(6)) if record.name == "2 MB of rubbish"]
    cluster.put(large.topic, large.key, large.value, partition=large.partition)
    metered(cluster)

    done = run(cluster, "redrive", "--go")

    assert done.returncode == 1
    assert re.search("1 cannot be sent back: it was cut", done.stderr)
    assert sum(cluster.ends(cluster.topics.interactions).values()) == 1


#: A redrive that dies in the middle: after its records, before its commit.
DIES = """
import os, botmeter.kafka.exactly_once as room
class Dying(room.Producer):
    def commit_transaction(self, *arguments):
        self.flush()
        os._exit(9)
room.make_producer = Dying
import botmeter.cli
botmeter.cli.main()
"""


def test_a_redrive_that_dies_before_its_commit_has_sent_nothing(cluster: Cluster, tmp_path: Path) -> None:
    cluster.put(cluster.topics.commands, "acme", json.dumps(opening("acme")).encode())
    for number in range(4):
        said(cluster, "acme", f"u-{number}", 1 - HOME)
    metered(cluster)
    program = tmp_path / "dies.py"
    program.write_text(DIES, encoding="utf-8")
    environment = {**os.environ, **cluster.environment()}
    died = subprocess.run([PROGRAM[0], str(program), "dead-letters", "redrive", "--go"], env=environment, check=False)
    assert died.returncode == 9

    assert run(cluster, "redrive", "--go").stdout == "4 sent back, 0 had been before\n"
    metered(cluster)

    assert sorted(sessions(cluster)) == [f"u-{number}" for number in range(4)]
    require_outputs(cluster)
