"""A worker on a real Kafka gives what `botmeter replay` prints, record for record; bad input harms nothing."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from confluent_kafka import Message

from botmeter.contracts.instants import rfc3339
from botmeter.kafka import clients
from botmeter.metering.records import Output
from botmeter.replay.tape import output_line

from .cluster import Cluster, Headers
from .model import require_outputs, require_outputs_of_a_backlog
from .process import PATIENCE_S, PROGRAM
from .traffic import Bad, Traffic, bad_records, interaction, opening

pytestmark = pytest.mark.kafka

#: Bad records that a tape, which is text, cannot hold.
NO_TEXT = {"invalid UTF-8", "unreadable key", "odd headers"}
#: What a backlog must bring about if it is to prove anything.
OFTEN = [
    "session_started", "threshold_reached", "sessions_exhausted", "chat_handed_off", "bot_suspended", "packs_purchased",
    "bot_resumed", "accepted", "rejected",
]  # fmt: skip


def publish(cluster: Cluster, bad: Sequence[Bad]) -> None:
    for record in bad:
        cluster.put(record.topic, record.key, record.value, headers=record.headers, partition=record.partition)
    cluster.flush()


def tape_of(cluster: Cluster, partition: int) -> bytes:
    """The inputs of a partition as they came to be, as lines of a tape."""
    found = cluster.read(cluster.topics.interactions, cluster.topics.commands)
    messages = [message for (_, number), of in found.items() if number == partition for message in of]
    return b"\n".join(tape_line(message) for message in sorted(messages, key=lambda message: message.timestamp()[1]))


def tape_line(message: Message) -> bytes:
    key, value = message.key(), message.value()
    headers: Any = message.headers() or []
    line = {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": rfc3339(message.timestamp()[1]),
        "key": None if key is None else str(key, "utf-8"),
        "value": None if value is None else str(value, "utf-8"),
        "headers": {name: header.decode() for name, header in headers},
    }
    return json.dumps(line).encode()


def replay(cluster: Cluster, tape: bytes) -> list[Any]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOTMETER_")}
    done = subprocess.run(
        [*PROGRAM, "replay", "-"], input=tape, env=inherited | cluster.environment(), capture_output=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def printed(message: Message) -> Any:
    """A record as replay prints it."""
    headers: Any = message.headers() or []
    return json.loads(output_line(Output(message.topic() or "", message.key(), message.value(), headers)))


def require_what_replay_prints(cluster: Cluster) -> None:
    topics = cluster.topics
    outputs = [topic for topic in topics.all() if topic.direction == "out"]
    found = cluster.read(*outputs)
    for partition in range(cluster.partitions):
        lines = replay(cluster, tape_of(cluster, partition))
        for topic in outputs:
            told = [printed(message) for message in found[topic.name, partition]]
            wanted = [line for line in lines if line["topic"] == topic.name]
            if topic == topics.balances:  # one an account and transaction: the last is what counts
                assert {line["key"]: line for line in told} == {line["key"]: line for line in wanted}
            else:
                assert told == wanted


def kinds(cluster: Cluster) -> Counter[str]:
    """How many of each type all outputs hold."""
    topics = cluster.topics
    found = cluster.read(topics.journal, topics.alerts, topics.handoffs, topics.command_results)
    return Counter(json.loads(message.value() or b"")["type"] for messages in found.values() for message in messages)


def test_a_backlog_gives_what_replay_prints(cluster: Cluster) -> None:
    traffic, dice = Traffic(cluster, seed=1), Random(1)
    bad = [record for record in bad_records(cluster.topics, dice) if record.name not in NO_TEXT]
    traffic.open_accounts()
    for number in range(12):
        traffic.run(interactions=100)
        publish(cluster, [record for record in bad[number::12] if record.topic == cluster.topics.interactions])
        traffic.run(interactions=0, commands=6)
        publish(cluster, [record for record in bad[number::12] if record.topic == cluster.topics.commands])
    worker = cluster.worker()
    cluster.await_all_taken([worker])

    require_what_replay_prints(cluster)
    require_outputs_of_a_backlog(cluster)
    found = kinds(cluster)
    assert [kind for kind in OFTEN if found[kind] < 5] == []
    worker.leaves()


def test_traffic_gives_what_replay_prints_of_the_order_the_journal_tells(cluster: Cluster) -> None:
    traffic = Traffic(cluster, seed=2)
    worker = cluster.worker().restored(cluster.partitions)
    traffic.open_accounts()
    for _ in range(40):
        traffic.run(interactions=25, commands=2)
        traffic.run(interactions=25, commands=1)
        cluster.flush()
    cluster.await_all_taken([worker])

    require_outputs(cluster)
    worker.leaves()


def test_every_bad_record_is_a_dead_letter_once_and_the_good_ones_between_are_taken(cluster: Cluster) -> None:
    bad = list(bad_records(cluster.topics, Random(3)))
    traffic = Traffic(cluster, seed=3)
    traffic.ask(opening("acme"))
    cluster.flush()
    for number, record in enumerate(bad):
        publish(cluster, [record])
        traffic.say(interaction("acme", f"u-{number % 5}"))
    cluster.flush()
    worker = cluster.worker()
    cluster.await_all_taken([worker])

    letters = dead_letters(cluster)
    assert {name: [reason for reason, _ in found] for name, found in letters.items()} == {
        record.name: [record.reason] for record in bad
    }
    for record in bad:
        [(_, letter)] = letters[record.name]
        require_dead_letter_of(record, letter)
    assert kinds(cluster)["session_started"] == 5
    require_outputs(cluster)
    worker.leaves()


def dead_letters(cluster: Cluster) -> dict[str, list[tuple[str, Message]]]:
    """The dead letters by the name of their bad record, each with its reason."""
    found: dict[str, list[tuple[str, Message]]] = {}
    for messages in cluster.read(cluster.topics.dead_letters).values():
        for message in messages:
            told = dict(headers_of(message))
            name, reason = (told["n"] or b"").decode(), (told["botmeter_reason"] or b"").decode()
            found.setdefault(name, []).append((reason, message))
    return found


def headers_of(message: Message) -> Headers:
    headers: Any = message.headers()
    return [*headers]


def require_dead_letter_of(record: Bad, letter: Message) -> None:
    """The record as it came, then where it came from and why it was not taken (KIP-1034)."""
    headers = headers_of(letter)
    ours = dict(headers[len(record.headers) :])
    is_cut = record.value is not None and len(record.value) > 1_048_576

    assert headers[: len(record.headers)] == record.headers
    assert (letter.key(), letter.value(), letter.partition()) == (record.key, record.said_value, record.partition)
    assert ours["botmeter_reason"] == record.reason.encode()
    assert ours["__streams.errors.topic"] == record.topic.name.encode()
    assert ours["__streams.errors.partition"] == str(record.partition).encode()
    assert (ours["__streams.errors.offset"] or b"").isdigit()
    assert len(ours["__streams.errors.message"] or b"") > 10
    assert ours.get("botmeter_truncated") == (b"true" if is_cut else None)


def test_no_key_header_or_trace_is_too_large_for_the_outputs(cluster: Cluster, bootstrap_servers: str) -> None:
    dice, traffic, topic = Random(4), Traffic(cluster, seed=4), cluster.topics.interactions
    traffic.ask(opening("acme"))
    cluster.flush()
    block = dice.randbytes(200_000)
    cluster.put(topic, dice.randbytes(1_300_000).hex(), b"a readable key of 2.6 MB", partition=0)
    # Far apart repetitions are small for zstd, which the producer uses, and large for lz4, which the worker uses.
    config = {**clients.simple_producer_config({"compression.type": "zstd"}, bootstrap_servers)}
    with clients.make_producer({**config, "message.max.bytes": 60_000_000}) as unusual:
        unusual.produce(
            topic.name, b"z" * 10_000_000, block * 12, partition=0, headers=[("a", b"1"), ("b", block * 60)]
        )
        assert unusual.flush(PATIENCE_S) == 0
    traffic.say(interaction("acme", "u-1"), [("traceparent", dice.randbytes(1_200_000))])
    cluster.flush()
    worker = cluster.worker()
    cluster.await_all_taken([worker])

    letters = cluster.read(cluster.topics.dead_letters)[cluster.topics.dead_letters.name, 0]
    assert [dict(headers_of(letter))["botmeter_truncated"] for letter in letters] == [b"true", b"true"]
    assert [letter.value() for letter in letters] == [b"a readable key of 2.6 MB", b"z" * 1_048_576]
    assert [headers_of(letter)[0] for letter in letters] == [("botmeter_reason", b"malformed"), ("a", b"1")]
    assert kinds(cluster)["session_started"] == 1
    worker.leaves()
