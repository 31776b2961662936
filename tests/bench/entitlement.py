"""How soon entitlement answers: `PYTHONPATH=tests python -m bench.entitlement`; about two minutes.

A broker, a worker and a server of its own. First questions at a fixed rate while nothing else happens; then, with
interactions at a fixed rate, questions by someone who has just published one, with `after`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import uvloop
from confluent_kafka import KafkaError, Message

from botmeter.embedded import EmbeddedKafka
from botmeter.kafka import clients
from botmeter.web.access.own_tokens import OwnTokens
from worker.cluster import Cluster
from worker.process import WorkerProcess
from worker.traffic import interaction, opening

from .open_loop import Connection, Measured, load

SECRET = "a secret of the bench, which guards nothing at all"  # noqa: S105 - so it says
ACCOUNTS = [f"bench-{number}" for number in range(200)]
END_USERS = 100
PARTITIONS = 4
ENOUGH = {"BOTMETER_COMPLIMENTARY_SESSIONS": "100000000"}


def main() -> None:
    arguments = _arguments()
    print(f"{os.cpu_count()} cores shared with broker, worker and load; load before {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as directory, EmbeddedKafka(report=print) as broker:
        cluster = Cluster(broker.bootstrap_servers, "bench.", Path(directory), PARTITIONS)
        try:
            _measure(cluster, arguments)
        finally:
            cluster.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=2_000, help="questions a second")
    parser.add_argument("--duration", type=float, default=20, help="of each part, in seconds")
    parser.add_argument("--interactions", type=float, default=5_000, help="interactions a second of the second part")
    parser.add_argument("--probes", type=float, default=50, help="questions with `after` a second of the second part")
    return parser.parse_args()


def _measure(cluster: Cluster, arguments: argparse.Namespace) -> None:
    worker = cluster.worker(**ENOUGH).restored(PARTITIONS)
    for account in ACCOUNTS:
        cluster.put(cluster.topics.commands, account, json.dumps(opening(account)).encode())
    cluster.flush()
    for account in ACCOUNTS:
        for number in range(END_USERS):
            value = json.dumps(interaction(account, f"u-{number}")).encode()
            cluster.put(cluster.topics.interactions, account, value)
    cluster.flush()
    cluster.await_all_taken([worker])
    variables = {"BOTMETER_AUTH_SECRET": SECRET, "BOTMETER_HTTP_PORT": "0", **ENOUGH}
    with WorkerProcess(cluster.environment("web", **variables), "web") as web:
        address = urlsplit(web.hears("listening at").split()[-1])
        web.hears("entitlement is ready")
        host, port = str(address.hostname), int(address.port or 0)
        print(f"{len(ACCOUNTS)} accounts, {len(ACCOUNTS) * END_USERS} sessions, {PARTITIONS} partitions")
        _part(f"entitlement, {arguments.rate:g} a second", _questions(host, port, arguments))
        busy = f"entitlement with `after`, beside {arguments.interactions:g} interactions a second"
        with _simulating(cluster, arguments):
            _part(busy, _probes(cluster, host, port, arguments))


def _part(name: str, measuring: object) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        measured: Measured = runner.run(measuring)  # type: ignore[arg-type]
    print(f"{name}: {measured.row()}")


def _request(path: str) -> bytes:
    token = OwnTokens(SECRET).bearer("bench", "operator", frozenset(), 3_600, "botmeter", "")
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


async def _questions(host: str, port: int, arguments: argparse.Namespace) -> Measured:
    """Of end-users with a session and of others, half and half."""
    dice = Random(1)
    drawn = [
        _request(f"/v1/accounts/{dice.choice(ACCOUNTS)}/entitlement?end_user_id=u-{dice.randrange(2 * END_USERS)}")
        for _ in range(2_000)
    ]
    await load(host, port, lambda number: drawn[number % len(drawn)], arguments.rate / 2, 2)  # warm
    return await load(host, port, lambda number: drawn[number % len(drawn)], arguments.rate, arguments.duration)


def _simulating(cluster: Cluster, arguments: argparse.Namespace) -> WorkerProcess:
    lasting_s = arguments.duration + 10
    command = f"simulate --rate {arguments.interactions:g} --duration {lasting_s:g} --day 0"
    return WorkerProcess(cluster.environment("simulate"), command)


async def _probes(cluster: Cluster, host: str, port: int, arguments: argparse.Namespace) -> Measured:
    """Each publishes an interaction, waits until the broker has it, and asks with `after`; timed from there."""
    loop, measured, dice = asyncio.get_running_loop(), Measured(), Random(2)
    await _until(time.perf_counter() + 5)  # the simulation is at its rate
    config = clients.simple_producer_config({"linger.ms": "0"}, cluster.bootstrap_servers)
    with clients.make_producer(config) as producer:

        async def probe() -> None:
            account = dice.choice(ACCOUNTS)
            value = json.dumps(interaction(account, f"u-{dice.randrange(2 * END_USERS)}")).encode()
            placed: asyncio.Future[str] = loop.create_future()

            def told(error: KafkaError | None, at: Message) -> None:
                assert error is None, error
                placed.set_result(f"{at.topic()}/{at.partition()}/{at.offset()}")

            producer.produce(cluster.topics.interactions.name, value, account, on_delivery=told)
            while not placed.done():
                producer.poll(0)
                await asyncio.sleep(0.001)
            begun_s = time.perf_counter()
            _, connection = await loop.create_connection(Connection, host, port)
            answered: asyncio.Future[int] = loop.create_future()
            path = f"/v1/accounts/{account}/entitlement?end_user_id=u-1&after={placed.result()}"
            connection.ask(_request(path), lambda status, _: answered.set_result(status))
            status = await answered
            measured.latencies_ms.append((time.perf_counter() - begun_s) * 1000)
            measured.statuses[status] = measured.statuses.get(status, 0) + 1
            connection.close()

        probes = []
        begun_s = time.perf_counter()
        for number in range(int(arguments.probes * arguments.duration)):
            await _until(begun_s + number / arguments.probes)
            probes.append(asyncio.create_task(probe()))
        await asyncio.gather(*probes)
    return measured


async def _until(moment_s: float) -> None:
    while time.perf_counter() < moment_s:  # noqa: ASYNC110 - a moment sets no event
        await asyncio.sleep(0.001)


if __name__ == "__main__":
    main()
