"""How soon open pages hear of news: `PYTHONPATH=tests python -m bench.watchers`; about a minute.

Five hundred pages watch some accounts, one stream each, and a session starts here and there. Timed is from the moment a
reader of what is committed has the session's event of the journal until a page has the new numbers of its account.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from random import Random

import uvloop
from confluent_kafka import TopicPartition

from botmeter.contracts.encoding import decode_event
from botmeter.domain.events import SessionStarted
from botmeter.kafka import clients
from botmeter.web.access.own_tokens import OwnTokens
from botmeter.web.access.roles import Access
from botmeter.web.page.rendering import account_url
from worker.cluster import Cluster
from worker.traffic import interaction

from .open_loop import Measured, until
from .processors import Processors
from .site import SECRET, Site, site

END_USERS = 20
#: All pages are logged in by one cookie, which has a rate.
_RATE = {"BOTMETER_HTTP_RATE_PER_S": "10000"}
_STATE = b"event: state"
#: A page that has just been opened is told how old its numbers are within this.
_QUIET_S = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watchers", type=int, default=500)
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--rate", type=float, default=10, help="sessions a second, of all accounts")
    parser.add_argument("--duration", type=float, default=20, help="in seconds")
    arguments = parser.parse_args()
    accounts = [f"bench-{number}" for number in range(arguments.accounts)]
    with site(accounts, END_USERS, **_RATE) as made:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            measured = runner.run(_measure(made, accounts, arguments))
        print(f"{arguments.watchers} pages on {len(accounts)} accounts, {arguments.rate:g} sessions a second")
        print(f"from the journal to a page: {measured.row()}\n  {measured.processors}")


@dataclass
class _News:
    """When sessions of each account were committed, and what pages heard of them."""

    committed: dict[str, list[float]] = field(default_factory=dict)
    measured: Measured = field(default_factory=Measured)


class _Page(asyncio.Protocol):
    """One stream. The news of an account since the last message are told by the next one."""

    def __init__(self, account: str, news: _News) -> None:
        self._account, self._news, self._heard, self._rest = account, news, 0, b""
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        now_s = time.perf_counter()
        if not self.opened.done():
            assert data.startswith(b"HTTP/1.1 200"), data[:200]
            self.opened.set_result(None)
        text = self._rest + data
        self._rest = text[-len(_STATE) :]
        if _STATE not in text:
            return
        self._rest = b""
        news = self._news.committed.get(self._account, [])
        if self._heard < len(news):  # all news since count from the oldest
            self._news.measured.latencies_ms.append((now_s - news[self._heard]) * 1000)
            self._news.measured.statuses[200] = self._news.measured.statuses.get(200, 0) + 1
        self._heard = len(news)


async def _measure(made: Site, accounts: list[str], arguments: argparse.Namespace) -> Measured:
    loop, news, ended = asyncio.get_running_loop(), _News(), threading.Event()
    cookie = OwnTokens(SECRET).cookie(Access("bench", "operator", frozenset(), ""), 3_600)
    transports = []
    for number in range(arguments.watchers):
        account = accounts[number % len(accounts)]
        transport, page = await loop.create_connection(partial(_Page, account, news), made.host, made.port)
        head = f"GET {account_url(account)}/stream HTTP/1.1\r\nHost: bench\r\nCookie: botmeter={cookie}\r\n\r\n"
        transport.write(head.encode())
        await page.opened
        transports.append(transport)
    await until(time.perf_counter() + _QUIET_S)
    follower = threading.Thread(target=_follow, args=(made.cluster, news, ended))
    follower.start()
    processors = Processors()
    await asyncio.to_thread(_talk, made.cluster, accounts, arguments)
    news.measured.processors = processors.row()
    await until(time.perf_counter() + _QUIET_S)
    ended.set()
    await asyncio.to_thread(follower.join)
    for transport in transports:
        transport.close()
    return news.measured


def _talk(cluster: Cluster, accounts: list[str], arguments: argparse.Namespace) -> None:
    dice, begun_s = Random(1), time.perf_counter()
    for number in range(int(arguments.rate * arguments.duration)):
        value = json.dumps(interaction(dice.choice(accounts), f"new-{number}")).encode()
        cluster.put(cluster.topics.interactions, json.loads(value)["account_id"], value)
        cluster.flush()
        while time.perf_counter() < begun_s + (number + 1) / arguments.rate:
            time.sleep(0.001)


def _follow(cluster: Cluster, news: _News, ended: threading.Event) -> None:
    """Notes when each session is there for who reads what is committed."""
    config = clients.reader_config({"fetch.wait.max.ms": "5"}, cluster.bootstrap_servers, "bench")
    topic = cluster.topics.journal
    with clients.make_consumer(config) as reader:
        reader.assign([TopicPartition(topic.name, number, at) for number, at in cluster.ends(topic).items()])
        while not ended.is_set():
            message = reader.poll(0.1)
            if message is None or message.error():
                continue
            event = decode_event(message.value() or b"")
            if isinstance(event, SessionStarted):
                news.committed.setdefault(event.account_id, []).append(time.perf_counter())


if __name__ == "__main__":
    main()
