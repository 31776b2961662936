"""How soon entitlement answers: `PYTHONPATH=tests python -m bench.entitlement`; about two minutes.

A broker, a worker and a server of its own. First questions at a fixed rate while nothing else happens; then, with
interactions at a fixed rate, questions by someone who has just published one, with `after`. Before both, the same
questions to a server that answers a constant: no figure of this machine can be better.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from random import Random

import uvloop
from confluent_kafka import KafkaError, Message

from botmeter.kafka import clients
from botmeter.web.access.own_tokens import OwnTokens
from worker.cluster import Cluster
from worker.traffic import interaction

from .chatter import KNOWN, account_name
from .open_loop import Connection, Measured, load, until
from .processors import Processors
from .site import SECRET, site

ACCOUNTS = 200
_WARM_S = 5


def main() -> None:
    arguments = _arguments()
    with _floor() as port:
        _part(f"a constant, {arguments.rate:g} a second", _questions("127.0.0.1", port, arguments))
    with site([account_name(number) for number in range(ACCOUNTS)], KNOWN) as made:
        host, port = made.host, made.port
        _part(f"entitlement, {arguments.rate:g} a second", _questions(host, port, arguments))
        busy = f"entitlement with `after`, beside {arguments.interactions:g} interactions a second"
        with _chatting(made.cluster, arguments):
            _part(busy, _probes(made.cluster, host, port, arguments))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=2_000, help="questions a second")
    parser.add_argument("--duration", type=float, default=20, help="of each part, in seconds")
    parser.add_argument("--interactions", type=float, default=5_000, help="interactions a second of the second part")
    parser.add_argument("--probes", type=float, default=50, help="questions with `after` a second of the second part")
    return parser.parse_args()


@contextmanager
def _floor() -> Iterator[int]:
    command = [sys.executable, "-m", "bench.floor"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.stdin.close()


def _part(name: str, measuring: object) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        measured: Measured = runner.run(measuring)  # type: ignore[arg-type]
    print(f"{name}: {measured.row()}\n  {measured.processors}")


def _question(account: str, user: int, more: str = "") -> bytes:
    return _request(f"/v1/accounts/{account}/entitlement?end_user_id=u-{user}{more}")


def _request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {_token()}\r\n\r\n".encode()


@cache
def _token() -> str:
    return OwnTokens(SECRET).bearer("bench", "operator", frozenset(), 3_600, "botmeter", "")


async def _questions(host: str, port: int, arguments: argparse.Namespace) -> Measured:
    """Of end-users with a session and of others, half and half."""
    dice = Random(1)
    drawn = [_question(account_name(dice.randrange(ACCOUNTS)), dice.randrange(2 * KNOWN)) for _ in range(2_000)]
    await load(host, port, lambda number: drawn[number % len(drawn)], arguments.rate / 2, 2)  # warm
    return await load(host, port, lambda number: drawn[number % len(drawn)], arguments.rate, arguments.duration)


@contextmanager
def _chatting(cluster: Cluster, arguments: argparse.Namespace) -> Iterator[None]:
    """Interactions at their rate while the block lasts; says how many there were."""
    told = [cluster.bootstrap_servers, cluster.topics.interactions.name, ACCOUNTS, arguments.interactions]
    command = [sys.executable, "-m", "bench.chatter", *map(str, told), str(arguments.duration + _WARM_S + 2)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as chatter:
        assert chatter.stdout is not None
        assert chatter.stdout.readline() == "begun\n"
        yield
        print(chatter.stdout.read().strip())


async def _probes(cluster: Cluster, host: str, port: int, arguments: argparse.Namespace) -> Measured:
    """Each publishes an interaction, waits until the broker has it, and asks with `after`; timed from there."""
    loop, measured, dice = asyncio.get_running_loop(), Measured(), Random(2)
    await until(time.perf_counter() + _WARM_S)
    processors = Processors()
    config = clients.simple_producer_config({"linger.ms": "0"}, cluster.bootstrap_servers)
    with clients.make_producer(config) as producer:

        async def probe() -> None:
            account = account_name(dice.randrange(ACCOUNTS))
            value = json.dumps(interaction(account, f"u-{dice.randrange(2 * KNOWN)}")).encode()
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
            request = _question(account, 1, f"&after={placed.result()}")
            connection.ask(request, lambda status, _: answered.set_result(status))
            status = await answered
            measured.latencies_ms.append((time.perf_counter() - begun_s) * 1000)
            measured.statuses[status] = measured.statuses.get(status, 0) + 1
            connection.close()

        probes = []
        begun_s = time.perf_counter()
        for number in range(int(arguments.probes * arguments.duration)):
            await until(begun_s + number / arguments.probes)
            probes.append(asyncio.create_task(probe()))
        await asyncio.gather(*probes)
    measured.processors = processors.row()
    return measured


if __name__ == "__main__":
    main()
