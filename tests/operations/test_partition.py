"""Each remedy that a message prints is run as it is printed; then the partition meters on, and the witness agrees."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from dataclasses import replace
from typing import Any, Final

import pytest
from confluent_kafka import TopicPartition

from botmeter.contracts.cloudevents import read_dead_letter
from botmeter.engine.store_rocksdb import RocksDbStore
from botmeter.kafka import clients
from botmeter.metering.store import StoreUpdate
from worker.cluster import PARTITIONS, Cluster
from worker.model import verified
from worker.outage import alter, make_anew
from worker.process import PATIENCE_S, PROGRAM, WorkerProcess
from worker.test_failed_partition import FAULTY, ON, begin, break_the_journal
from worker.traffic import Traffic, interaction, opening

pytestmark = pytest.mark.kafka

FAILED: Final = "partition 0 FAILED, the others go on: "
SIGNED: Final = ("--yes", "--by", "jane", "--why", "a test of it")
#: What `botmeter partition` is told in a message.
_COMMAND: Final = re.compile(r"botmeter partition (\S+ \d+(?: \S+)?)")


def started(cluster: Cluster, *arguments: str) -> subprocess.Popen[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOTMETER_")}
    return subprocess.Popen(
        [*PROGRAM, *arguments],
        env={**inherited, **cluster.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def program(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    running = started(cluster, *arguments)
    told, faults = running.communicate(timeout=PATIENCE_S)
    return subprocess.CompletedProcess(arguments, running.returncode, told, faults)


def run(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    return program(cluster, "partition", *arguments)


def status(cluster: Cluster, number: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(cluster, "status", str(number), "--json").stdout)
    return found


def rescue(cluster: Cluster, line: str) -> str:
    """Runs what the line says: at first nothing is done. What it would do and cost."""
    [told] = set(_COMMAND.findall(line))
    words = told.rstrip(";,").split()
    before = committed(cluster, int(words[1])), cluster.ends(cluster.topics.rules)
    planned = run(cluster, *words)
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.endswith('Nothing was done: --yes --why "..." does it.\n')
    assert (committed(cluster, int(words[1])), cluster.ends(cluster.topics.rules)) == before
    done = run(cluster, *words, *SIGNED)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(planned.stdout.rpartition("Nothing")[0])
    return planned.stdout


def committed(cluster: Cluster, number: int) -> list[int]:
    return [offset for (_, partition), offset in cluster.committed().items() if partition == number]


def await_told(cluster: Cluster, worker: WorkerProcess, number: int = 0) -> dict[str, Any]:
    """Waits until the worker has told the group that the partition stands; its status."""
    found: dict[str, Any] = {}

    def is_told() -> bool:
        found.update(status(cluster, number))
        return bool(found["state"] == "FAILED")

    cluster.await_true(is_told, [worker], PATIENCE_S, "the group was not told")
    return found


def await_state(cluster: Cluster, worker: WorkerProcess, state: str) -> None:
    cluster.await_true(
        lambda: [status(cluster, number)["state"] for number in range(PARTITIONS)] == [state] * PARTITIONS,
        [worker],
        PATIENCE_S,
        f"the partitions are not {state}",
    )


def say(cluster: Cluster, traffic: Traffic, user: str) -> None:
    for name in ON.values():
        traffic.say(interaction(name, user))
    cluster.flush()


def await_all(cluster: Cluster, traffic: Traffic, worker: WorkerProcess, *rescues: str) -> None:
    """Whatever comes is metered again, and the witness finds what it should and tells the rescues."""
    say(cluster, traffic, "u-afterwards")
    cluster.await_all_taken([worker])
    worker.leaves()
    told = [*verified(cluster).rescues]
    assert all(
        re.search(wanted + ".* by jane at .*Z: a test of it", each) for each, wanted in zip(told, rescues, strict=True)
    )


def test_a_record_that_cannot_be_taken_is_skipped_and_its_worker_goes_on_with_the_next(cluster: Cluster) -> None:
    traffic, topic = begin(cluster), cluster.topics.interactions
    at = cluster.ends(topic)[0]
    traffic.say(interaction(ON[0], "u-bug"))
    say(cluster, traffic, "u-after")
    with WorkerProcess(cluster.environment(BUG="u-bug"), program=FAULTY) as worker:
        line = worker.hears(FAILED)
        told = await_told(cluster, worker)
        assert line.endswith(f"{told['reason']}; {told['remedy']}")
        assert told["committed"][topic.name] == at
        shown = run(cluster, "status")
        assert (shown.returncode, shown.stdout.count("running")) == (1, 1)
        assert told["remedy"] in shown.stdout
        examined = program(cluster, "doctor", "--json", "--listen", "0")
        [found] = [each for each in map(json.loads, examined.stdout.splitlines()) if each["check"] == "partitions"]
        assert re.fullmatch(r"partition 0 FAILED for \d+ s, says worker: " + re.escape(told["reason"]), found["text"])
        assert (examined.returncode, found["state"], found["remedy"]) == (1, "problem", told["remedy"])
        assert run(cluster, "skip", "0", f"{topic.name}@{at}", "--yes").returncode == 2, "it must be said why"
        others = run(cluster, "skip", "0", f"{topic.name}@{at + 1}", *SIGNED)
        assert f"partition 0 failed for something else: {told['reason']}" in others.stderr
        assert "it is metered by" in run(cluster, "restore-from", "1", "journal", *SIGNED).stderr

        assert f"{topic.name}@{at} becomes a dead letter with the reason skipped: key {ON[0]}" in rescue(cluster, line)
        await_all(cluster, traffic, worker, rf"{re.escape(topic.name)}-0@{at} skipped")
    [letter] = cluster.read(cluster.topics.dead_letters)[cluster.topics.dead_letters.name, 0]
    found = read_dead_letter(letter.headers())  # type: ignore[arg-type] # a list of pairs is what it gives
    assert (found.reason, found.message) == ("skipped", "skipped by jane: a test of it")
    assert found.place == (topic.name, 0, at)
    taped = program(cluster, "replay", "--from-cluster", ON[0])
    assert taped.returncode == 0, taped.stderr
    [skipped] = [line for line in map(json.loads, taped.stdout.splitlines()) if "skipped" in line]
    assert (skipped["offset"], skipped["skipped"]) == (at, "skipped by jane: a test of it")


def test_the_very_first_record_of_a_partition_is_skipped(cluster: Cluster) -> None:
    """Nothing was committed yet that could tell who failed, and why."""
    traffic, topic = Traffic(cluster, seed=62), cluster.topics.interactions
    traffic.say(interaction(ON[0], "u-bug"))
    alter(cluster, topic, "message.timestamp.type", "CreateTime")
    traffic.say(interaction(ON[1], "u-1"))
    cluster.flush()
    alter(cluster, topic, "message.timestamp.type", "LogAppendTime")
    for name in ON.values():
        traffic.ask(opening(name))
    cluster.flush()
    say(cluster, traffic, "u-after")
    with WorkerProcess(cluster.environment(BUG="u-bug", AT_ONCE=""), program=FAULTY) as worker:
        lines = [worker.hears(f"partition {number} FAILED, the others go on: ") for number in range(PARTITIONS)]
        for number, line in enumerate(lines):
            told = await_told(cluster, worker, number)
            assert line.endswith(f"{told['reason']}; {told['remedy']}")
            assert told["worker"] == "worker"
            assert told["committed"][topic.name] is None

        for line in lines:
            rescue(cluster, line)
        await_all(cluster, traffic, worker, *(rf"{re.escape(topic.name)}-{n}@0 skipped" for n in range(PARTITIONS)))
    letters = cluster.read(cluster.topics.dead_letters)
    assert [len(letters[cluster.topics.dead_letters.name, number]) for number in range(PARTITIONS)] == [1, 1]


def test_a_journal_with_a_gap_is_read_over_it_when_somebody_accepts_that(cluster: Cluster) -> None:
    traffic = begin(cluster)
    break_the_journal(cluster, 0)
    cluster.put(cluster.topics.journal, ON[0], b"no event", partition=0)
    say(cluster, traffic, "u-2")
    worker = cluster.worker()
    line = worker.hears(FAILED + "the journal at offset [0-9]+ cannot be read")
    await_told(cluster, worker)
    readside = cluster.environment("readside", BOTMETER_READSIDE_URL=f"sqlite:///{cluster.data_dir()}.db")
    with WorkerProcess(readside, "project") as projection:
        projection.hears("read side: .* if no botmeter did, run: botmeter partition restore-from 0 journal")
        assert projection.ended() == 1

    assert "1 do not follow the one before, 1 cannot be read." in rescue(cluster, line)
    worker.hears("partition 0: an operator has rescued it")
    await_all(cluster, traffic, worker, "partition 0 verified from an accepted loss on")
    shutil.rmtree(cluster.data_dir())
    again = cluster.worker().restored(PARTITIONS)
    await_all(cluster, traffic, again, "partition 0 verified from an accepted loss on")
    with WorkerProcess(readside, "project") as projection:
        projection.hears("level with the journal")
        projection.leaves()


# --- What takes longer, or happens to few ---


@pytest.mark.chaos
def test_offsets_that_are_gone_are_set_to_where_the_outputs_stood(cluster: Cluster) -> None:
    traffic = begin(cluster)
    say(cluster, traffic, "u-1")  # they join sessions: no output tells of them
    cluster.put(cluster.topics.interactions, ON[0], b"no JSON")
    cluster.flush()
    worker = cluster.worker()
    cluster.await_all_taken([worker])
    worker.leaves()
    with clients.make_admin(clients.admin_config({}, cluster.bootstrap_servers)) as admin:
        [forgotten] = admin.delete_consumer_groups([cluster.group]).values()
        forgotten.result(PATIENCE_S)
    worker = cluster.worker()
    lines = [worker.hears(f"partition {number} has a journal, but its inputs have no") for number in range(PARTITIONS)]

    for line in lines:
        assert "and is whole. 0 offsets of the inputs were deleted meanwhile: never" in rescue(cluster, line)
    await_all(cluster, traffic, worker, *(f"partition {n} read from where its journal stood," for n in range(2)))
    assert len(cluster.read(cluster.topics.dead_letters)[cluster.topics.dead_letters.name, 0]) == 1


@pytest.mark.chaos
def test_a_record_with_its_producers_time_is_skipped(cluster: Cluster) -> None:
    traffic, topic = begin(cluster), cluster.topics.interactions
    at = cluster.ends(topic)[0]
    alter(cluster, topic, "message.timestamp.type", "CreateTime")
    traffic.say(interaction(ON[0], "u-2"))
    cluster.flush()
    alter(cluster, topic, "message.timestamp.type", "LogAppendTime")
    say(cluster, traffic, "u-3")
    worker = cluster.worker()
    line = worker.hears(FAILED + ".*the record carries its producer's time")
    await_told(cluster, worker)
    worker.leaves()

    rescue(cluster, line)
    told = status(cluster, 0)
    assert (told["state"], told["awaited"]) == ("FAILED", [f"{topic.name}@{at}"])
    assert told["remedy"].startswith("that record is to be skipped: its worker continues")
    assert run(cluster, "skip", "0", f"{topic.name}@{at}", *SIGNED).returncode == 2
    await_all(cluster, traffic, cluster.worker(), rf"{re.escape(topic.name)}-0@{at} skipped")


@pytest.mark.chaos
def test_a_partition_that_stands_without_a_failure_shows_by_its_records(cluster: Cluster) -> None:
    traffic = begin(cluster)
    told = status(cluster, 0)
    assert (told["state"], told["reason"], told["remedy"]) == (
        "standing", "no worker is in the group", "run: botmeter worker",
    )  # fmt: skip
    worker = cluster.worker().restored(PARTITIONS)
    await_state(cluster, worker, "running")
    assert "botmeter-worker-worker at" in status(cluster, 0)["owner"]
    worker.send(signal.SIGSTOP)
    say(cluster, traffic, "u-2")
    await_state(cluster, worker, "waiting")
    assert "records have waited for more than 10 s" in run(cluster, "status").stdout
    worker.send(signal.SIGCONT)
    await_state(cluster, worker, "running")
    worker.leaves()


@pytest.mark.chaos
@pytest.mark.parametrize("is_made_anew", [False, True], ids=["deleted", "made anew"])
def test_inputs_that_were_deleted_before_they_were_taken_are_given_up(cluster: Cluster, is_made_anew: bool) -> None:  # noqa: FBT001
    traffic, topic = begin(cluster), cluster.topics.interactions
    say(cluster, traffic, "u-2")
    if is_made_anew:
        make_anew(cluster, topic)
    else:
        end = cluster.ends(topic)[0]
        with clients.make_admin(clients.admin_config({}, cluster.bootstrap_servers)) as admin:
            [deleted] = admin.delete_records([TopicPartition(topic.name, 0, end)]).values()
            deleted.result(PATIENCE_S)
    worker = cluster.worker()
    line = worker.hears("partition 0 FAILED, the others go on: .*")
    await_told(cluster, worker)

    told = rescue(cluster, line)
    if is_made_anew:  # the group forgets the offsets of a topic that is deleted
        assert "it was recreated or has lost records" in told
        rescue(cluster, worker.hears("partition 1 FAILED, the others go on: .*"))
        await_all(cluster, traffic, worker, *(f"partition {n} verified from an accepted loss on" for n in range(2)))
    else:
        assert "1 offsets from 1 on were deleted before they were taken" in told
        await_all(cluster, traffic, worker, "partition 0 read from where its journal stood, 1 offsets lost")


@pytest.mark.chaos
def test_a_journal_that_lost_all_its_records_is_decided_again_from_the_inputs(cluster: Cluster) -> None:
    traffic = begin(cluster)
    before = balances(cluster)
    make_anew(cluster, cluster.topics.journal)
    worker = cluster.worker()
    for number in range(PARTITIONS):
        line = worker.hears(rf"partition {number} FAILED, the others go on: .*an empty journal")
        await_told(cluster, worker, number)
        told = rescue(cluster, line)
        assert "By their balances 1 accounts had more events" in told
        assert "The inputs still have what they came from" in told
    await_all(cluster, traffic, worker, *(f"partition {n} verified from an accepted loss on" for n in range(2)))
    after = balances(cluster)
    assert before.keys() == after.keys()
    assert {name: used - 1 for name, used in after.items()} == before, "a session was charged again, or forgotten"


@pytest.mark.chaos
def test_a_journal_that_snapshots_tell_more_of_goes_on_without_these(cluster: Cluster) -> None:
    traffic = begin(cluster)
    before = balances(cluster)
    make_anew(cluster, cluster.topics.journal)
    shutil.rmtree(cluster.data_dir())
    worker = cluster.worker()
    for number in range(PARTITIONS):
        line = worker.hears(rf"the journal of partition {number} ends at offset 0, but its snapshots reflect events")
        await_told(cluster, worker, number)
        rescue(cluster, line)
    await_all(cluster, traffic, worker, *(f"partition {n} verified from an accepted loss on" for n in range(2)))
    shutil.rmtree(cluster.data_dir())
    again = cluster.worker().restored(PARTITIONS)
    again.leaves()
    assert {name: used - 1 for name, used in balances(cluster).items()} == before


@pytest.mark.chaos
def test_a_store_ahead_of_its_journal_is_given_up(cluster: Cluster) -> None:
    traffic = begin(cluster)
    store = RocksDbStore(cluster.data_dir() / "partition-0")
    mark = store.mark()
    assert mark is not None
    store.write(StoreUpdate({}, {}, {}, replace(mark, journal_offset=10**6)))
    store.close()
    worker = cluster.worker()
    line = worker.hears(FAILED + "the store of partition 0 reflects the journal up to offset 1000000, but")
    await_told(cluster, worker)

    rescue(cluster, line)
    worker.hears("it is from before an accepted loss; wiped")
    await_all(cluster, traffic, worker, "partition 0 verified from an accepted loss on")


@pytest.mark.chaos
def test_a_store_that_cannot_be_wiped_is_deleted_while_its_worker_is_stopped(cluster: Cluster) -> None:
    """As one that lies behind a link to another disk: the worker does not delete what it did not make."""
    traffic = begin(cluster)
    store, elsewhere = cluster.data_dir() / "partition-0", cluster.directory / "elsewhere"
    store.rename(elsewhere)
    (elsewhere / "condemned").touch()
    store.symlink_to(elsewhere)
    worker = cluster.worker()
    line = worker.hears(FAILED + "cannot open the store at .*: it failed before")
    [told] = _COMMAND.findall(line)
    words = told.rstrip(",").split()[:2]
    assert words == ["delete-store", "0"]
    assert "another worker uses the data directory" in run(cluster, *words, "--yes").stderr
    worker.leaves()
    assert run(cluster, *words).stdout.endswith("Nothing was deleted: --yes does it.\n")
    assert store.is_symlink()
    assert run(cluster, *words, "--yes").stdout.endswith("Deleted. Start the worker.\n")
    assert not store.is_symlink()
    await_all(cluster, traffic, cluster.worker())


def balances(cluster: Cluster) -> dict[str, int]:
    """How many sessions each account has used, by its last balance."""
    found = [message for records in cluster.read(cluster.topics.balances).values() for message in records]
    return {balance["account_id"]: balance["used"] for balance in (json.loads(each.value() or b"") for each in found)}
