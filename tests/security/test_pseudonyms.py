"""With a key: a worker's topics and files, the read side, the witness, tapes, and who has another key."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from botmeter.cli.project import source_of
from botmeter.contracts.pseudonyms import pseudonyms_by
from botmeter.web.running import connected
from web.application import bearer, browser_at, settings_of
from worker.cluster import Cluster
from worker.process import PATIENCE_S, PROGRAM
from worker.traffic import interaction, opening

pytestmark = pytest.mark.kafka

KEY = "a key of more than thirty-two characters"
KEYED = {"BOTMETER_PSEUDONYM_KEY": KEY}
PSEUDONYMS = pseudonyms_by(KEY.encode())
#: Whom everything is searched for; there are ten sessions, so the last ones are handed off.
PEOPLE = [f"jane.doe.{number}" for number in range(12)]


@pytest.fixture
def cluster(bootstrap_servers: str, topic_prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(bootstrap_servers, topic_prefix, tmp_path)
    yield made
    made.close()


def run(cluster: Cluster, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = cluster.environment("program", **variables)
    return subprocess.run(
        [*PROGRAM, *command], env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def meter_people(cluster: Cluster) -> None:
    worker = cluster.worker(**KEYED).restored(cluster.partitions)
    cluster.put(cluster.topics.commands, "acme", json.dumps(opening("acme")).encode())
    cluster.flush()
    for person in PEOPLE:
        said = interaction("acme", person, event_id="e", conversation_id=f"c-{PEOPLE.index(person)}")
        cluster.put(cluster.topics.interactions, "acme", json.dumps(said).encode())
    cluster.flush()
    cluster.await_all_taken([worker])
    worker.leaves()


def found_in(files: Iterator[Path], text: str) -> list[Path]:
    return [file for file in files if file.is_file() and text.encode() in file.read_bytes()]


def asked(client: httpx.Client, question: str) -> Any:
    """The answer, once the server has read all there is."""
    deadline = time.monotonic() + PATIENCE_S
    while (answer := client.get(f"/v1/accounts/acme/{question}", headers=bearer("operator"))).status_code != 200:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)
    return answer.json()


def test_nothing_that_is_kept_names_an_end_user_and_who_asks_by_the_id_is_answered(cluster: Cluster) -> None:
    meter_people(cluster)
    topics, data = cluster.topics, cluster.directory

    written = cluster.read(topics.journal, topics.snapshots, topics.balances, topics.alerts, topics.rules)
    kept = b"".join(record.value() or b"" for records in written.values() for record in records)
    assert b"jane.doe" not in kept
    assert KEY.encode() not in kept
    assert PSEUDONYMS.of("acme", PEOPLE[0]).encode() in kept
    told = [json.loads(each.value() or b"") for records in cluster.read(topics.handoffs).values() for each in records]
    assert {each["end_user_id"] for each in told if each["type"] == "chat_handed_off"} == set(PEOPLE[10:])

    settings = settings_of(cluster, pseudonym_key=KEY)
    with browser_at(settings, lifespan=connected(settings, source_of(settings))) as client:
        assert asked(client, f"entitlement?end_user_id={PEOPLE[0]}")["reason"] == "session_open"
        assert asked(client, "entitlement?end_user_id=somebody-else")["reason"] == "sessions_exhausted"
        for name in (PEOPLE[0], PSEUDONYMS.of("acme", PEOPLE[0])):
            [session] = asked(client, f"sessions?end_user_id={name}")["sessions"]
            assert session["end_user_id"] == PSEUDONYMS.of("acme", PEOPLE[0])
    assert found_in(data.rglob("*"), "jane.doe") == []
    assert found_in(data.rglob("*"), KEY) == []

    verified = run(cluster, "verify", **KEYED)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    tape = run(cluster, "replay", "--from-cluster", "acme", **KEYED)
    assert tape.returncode == 0, tape.stderr
    assert "jane.doe" not in tape.stdout


@pytest.mark.chaos
def test_who_has_another_key_does_not_start_and_a_change_is_an_act(cluster: Cluster) -> None:
    meter_people(cluster)
    other = {"BOTMETER_PSEUDONYM_KEY": KEY[::-1]}
    web = {"BOTMETER_AUTH_SECRET": KEY, "BOTMETER_HTTP_PORT": "0"}

    refused = [run(cluster, "worker"), run(cluster, "worker", **other), run(cluster, "web", **web, **other)]
    assert [each.returncode for each in refused] == [2, 2, 2]
    in_force = f"in force is key {PSEUDONYMS.key_id}"
    assert [in_force in each.stderr.splitlines()[-1] for each in refused] == [True, True, True]
    assert not any(KEY in each.stderr or KEY[::-1] in each.stderr or "Traceback" in each.stderr for each in refused)

    planned = run(cluster, "rules", "set", **other)
    assert "opens another one with the next chat" in " ".join(planned.stdout.split())
    done = run(cluster, "rules", "set", "--yes", **other)
    assert done.returncode == 0, done.stderr
    verified = run(cluster, "verify", **other)
    assert verified.returncode == 2
    assert f"by the key {PSEUDONYMS.key_id}" in verified.stderr
