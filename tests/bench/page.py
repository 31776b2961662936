"""How soon pages are there when the read side is large: `PYTHONPATH=tests python -m bench.page --url sqlite:///...`.

The database is one that `bench/readside.py` has filled. The server is a process of its own, without Kafka: a page asks
the database alone. Requests leave at a fixed rate, each for an account drawn anew.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final, cast

import uvloop
from fastapi import FastAPI
from pydantic import SecretStr

from botmeter.readside.database import open_database
from botmeter.readside.queries import Queries
from botmeter.settings.model import Settings
from botmeter.web.access.own_tokens import OwnTokens
from botmeter.web.access.roles import Access
from botmeter.web.app import Parts, make_app
from botmeter.web.page.rendering import account_url
from botmeter.web.page.routes import PAGE_ROUTERS
from botmeter.web.page.routes.standalone import error_page
from botmeter.web.server import address_of, listen, serve
from botmeter.web.services import Services

from .open_loop import Measured, load
from .readside import account_name
from .site import SECRET

#: One account in a hundred has half of all sessions.
_BUSY_ONE_IN: Final = 100
_PAGES: Final[tuple[tuple[str, Callable[[str], str]], ...]] = (
    ("all accounts", lambda _: "/billing/accounts"),
    ("an account", account_url),
    ("its usage", lambda account: f"{account_url(account)}/parts/usage"),
    ("its burn-down", lambda account: f"{account_url(account)}/parts/burn-down"),
    ("its sessions", lambda account: f"{account_url(account)}/sessions"),
    ("its history", lambda account: f"{account_url(account)}/history"),
    ("its statements", lambda account: f"{account_url(account)}/statements"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=5, help="pages a second")
    parser.add_argument("--duration", type=float, default=10, help="of each kind of page, in seconds")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        _serve(arguments.url)
        return
    command = [sys.executable, "-m", "bench.page", "--serve", "--url", arguments.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        try:
            for name, address in _PAGES:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    measured = runner.run(_asked(port, address, arguments))
                print(f"{name:16} {measured.row()}\n  {measured.processors}", flush=True)
        finally:
            server.terminate()


async def _asked(port: int, address: Callable[[str], str], arguments: argparse.Namespace) -> Measured:
    dice = Random(5)
    cookie = OwnTokens(SECRET).cookie(Access("bench", "operator", frozenset(), ""), 3_600)

    def request(_: int) -> bytes:
        share = _BUSY_ONE_IN if dice.random() < 0.5 else 1
        path = address(account_name(dice.randrange(arguments.accounts // share)))
        return f"GET {path} HTTP/1.1\r\nHost: bench\r\nCookie: botmeter={cookie}\r\n\r\n".encode()

    return await load("127.0.0.1", port, request, arguments.rate, arguments.duration)


def _serve(url: str) -> None:
    settings = Settings(auth_secret=SecretStr(SECRET), http_port=0, http_rate_per_s=10_000)
    nothing = cast(Any, None)  # pages neither send commands nor ask for entitlement

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.services = Services(Queries(open_database(url)), nothing, nothing, nothing)
        yield

    listening = listen(settings)
    app = make_app(Parts(settings, address_of(listening), lifespan, PAGE_ROUTERS, error_page))
    print(listening.getsockname()[1], flush=True)
    serve(app, listening)


if __name__ == "__main__":
    main()
